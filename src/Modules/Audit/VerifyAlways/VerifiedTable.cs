namespace Audit;

/// <summary>Which way a log's checkpoints are verified.</summary>
internal static class VerifyKinds
{
    /// <summary>The newest, soon after they are published.</summary>
    public const string Recent = "recent";

    /// <summary>All of them, again and again.</summary>
    public const string Pass = "pass";
}

/// <summary>Where verifying a log stands.</summary>
/// <param name="Log">The log's name.</param>
/// <param name="Kind">One of <see cref="VerifyKinds"/>.</param>
/// <param name="Checkpoint">The last one that was looked at.</param>
/// <param name="Published">The newest one that there is.</param>
internal sealed record VerifiedPlace(string Log, string Kind, long Checkpoint, long Published);

/// <summary>How far logs are verified.</summary>
internal sealed class VerifiedTable(AuditDatabase database, string claimant)
{
    // A process that is gone keeps its logs from others for so long.
    private static readonly TimeSpan ClaimLifetime = TimeSpan.FromSeconds(10);

    /// <summary>Claims every log with unverified checkpoints that no other process verifies.</summary>
    /// <param name="logs">Those that may be taken.</param>
    /// <param name="entryCountMax">What lies further back than so many entries is passed over.</param>
    /// <param name="cancel">Ends it.</param>
    public Task<List<VerifiedPlace>> ClaimRecentAsync(
        string[] logs, int entryCountMax, CancellationToken cancel) => ClaimAsync("""
        WITH place AS (
            SELECT h.log, h.published, greatest(coalesce(v.checkpoint, 0), (
                SELECT s.checkpoint - 1 FROM audit.segments s
                WHERE s.log = h.log AND s.first_index <= greatest(h.size - $4, 0)
                ORDER BY s.first_index DESC LIMIT 1)) AS checkpoint
            FROM audit.heads h LEFT JOIN audit.verified v ON v.log = h.log AND v.kind = 'recent'
            WHERE h.log = ANY ($3)),
        claimed AS (
            INSERT INTO audit.verified (log, kind, checkpoint, claimant, claimed_until)
            SELECT log, 'recent', checkpoint, $1, now() + $2 FROM place ORDER BY log
            ON CONFLICT (log, kind) DO UPDATE SET
                checkpoint = excluded.checkpoint, claimant = $1, claimed_until = now() + $2
            WHERE verified.claimant IS NULL OR verified.claimant = $1 OR verified.claimed_until < now()
            RETURNING log, checkpoint)
        SELECT log, 'recent', claimed.checkpoint, place.published FROM claimed JOIN place USING (log) ORDER BY log
        """, cancel, logs, entryCountMax);

    /// <summary>Claims the log whose pass is due for longest, and begins the pass unless it is begun.</summary>
    /// <param name="logs">Those that may be taken.</param>
    /// <param name="interval">From the beginning of a pass to that of the next.</param>
    /// <param name="now">By the clock that stores when passes begin.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<VerifiedPlace?> ClaimPassAsync(
        string[] logs, TimeSpan interval, DateTimeOffset now, CancellationToken cancel)
    {
        await using var make = database.Control.CreateCommand("""
            INSERT INTO audit.verified (log, kind)
            SELECT log, 'pass' FROM audit.heads WHERE log = ANY ($1) ORDER BY log ON CONFLICT DO NOTHING
            """);
        make.Parameters.Add(new() { Value = logs });
        await make.ExecuteNonQueryAsync(cancel);
        var claimed = await ClaimAsync("""
            UPDATE audit.verified v SET claimant = $1, claimed_until = now() + $2,
                started_at = CASE WHEN completed_at IS NULL OR started_at > completed_at
                    THEN coalesce(started_at, $5) ELSE $5 END
            FROM audit.heads h
            WHERE h.log = v.log AND v.kind = 'pass' AND v.log = (
                SELECT log FROM audit.verified WHERE kind = 'pass' AND log = ANY ($3)
                    AND (claimant IS NULL OR claimant = $1 OR claimed_until < now())
                    AND (completed_at IS NULL OR started_at > completed_at OR started_at + $4 <= $5)
                ORDER BY started_at NULLS FIRST, log LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING v.log, v.kind, v.checkpoint, h.published
            """, cancel, logs, interval, now.UtcDateTime);
        return claimed.SingleOrDefault();
    }

    /// <summary>Notes that a checkpoint was looked at.</summary>
    /// <returns>False when another process has gone on from here.</returns>
    public async Task<bool> MoveAsync(VerifiedPlace from, long checkpoint, CancellationToken cancel)
    {
        await using var move = database.Control.CreateCommand("""
            UPDATE audit.verified SET checkpoint = $4, claimed_until = now() + $5
            WHERE log = $1 AND kind = $2 AND checkpoint = $3 AND claimant = $6
            """);
        move.Parameters.Add(new() { Value = from.Log });
        move.Parameters.Add(new() { Value = from.Kind });
        move.Parameters.Add(new() { Value = from.Checkpoint });
        move.Parameters.Add(new() { Value = checkpoint });
        move.Parameters.Add(new() { Value = ClaimLifetime });
        move.Parameters.Add(new() { Value = claimant });
        return await move.ExecuteNonQueryAsync(cancel) == 1;
    }

    /// <summary>Notes that nothing is left to look at; a pass begins anew with the next claim.</summary>
    /// <param name="logs">Of which logs.</param>
    /// <param name="kind">Which way.</param>
    /// <param name="at">When.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task CompleteAsync(
        IEnumerable<string> logs, string kind, DateTimeOffset at, CancellationToken cancel)
    {
        await using var complete = database.Control.CreateCommand("""
            UPDATE audit.verified SET completed_at = $3,
                checkpoint = CASE kind WHEN 'pass' THEN 0 ELSE checkpoint END
            WHERE log = ANY ($1) AND kind = $2 AND claimant = $4
            """);
        complete.Parameters.Add(new() { Value = logs.ToArray() });
        complete.Parameters.Add(new() { Value = kind });
        complete.Parameters.Add(new() { Value = at.UtcDateTime });
        complete.Parameters.Add(new() { Value = claimant });
        await complete.ExecuteNonQueryAsync(cancel);
    }

    /// <returns>By kind, when the log was done that was not done for longest; null when one never was.</returns>
    public async Task<List<(string Kind, DateTimeOffset? At)>> CompletedAsync(CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT kind, CASE WHEN bool_and(completed_at IS NOT NULL) THEN min(completed_at) END
            FROM audit.verified GROUP BY kind
            """);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var completed = new List<(string, DateTimeOffset?)>();
        while (await rows.ReadAsync(cancel))
            completed.Add((rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetFieldValue<DateTimeOffset>(1)));
        return completed;
    }

    private async Task<List<VerifiedPlace>> ClaimAsync(string sql, CancellationToken cancel, params object[] more)
    {
        await using var claim = database.Control.CreateCommand(sql);
        claim.Parameters.Add(new() { Value = claimant });
        claim.Parameters.Add(new() { Value = ClaimLifetime });
        foreach (var value in more) claim.Parameters.Add(new() { Value = value });
        await using var rows = await claim.ExecuteReaderAsync(cancel);
        var claimed = new List<VerifiedPlace>();
        while (await rows.ReadAsync(cancel))
            claimed.Add(new(rows.GetString(0), rows.GetString(1), rows.GetInt64(2), rows.GetInt64(3)));
        return claimed;
    }
}
