using Npgsql;

namespace Audit;

/// <summary>Which way a log is looked through.</summary>
internal static class ReconcileKinds
{
    /// <summary>Once, soon after it is sealed.</summary>
    public const string Follow = "follow";

    /// <summary>All of it, again and again.</summary>
    public const string Pass = "pass";
}

/// <summary>Where reconciling a log stands.</summary>
/// <param name="Log">The log's name.</param>
/// <param name="Kind">One of <see cref="ReconcileKinds"/>.</param>
/// <param name="NextOffset">The first offset of <c>votes</c> that is not reconciled.</param>
/// <param name="NextOutcome">The first offset of <c>vote-outcomes</c> that is not taken.</param>
internal sealed record ReconciledPlace(string Log, string Kind, long NextOffset, long NextOutcome);

/// <summary>How far logs are reconciled, and the figures that follow from it.</summary>
/// <param name="database">Where it is kept.</param>
/// <param name="claimant">Names this process.</param>
/// <param name="claimLifetime">
/// A process that is gone keeps its logs from others for so long; one that is slow keeps its own.
/// </param>
internal sealed class ReconciledTable(AuditDatabase database, string claimant, TimeSpan claimLifetime)
{
    public AuditDatabase Database => database;

    /// <summary>Claims every log of votes that no other process follows.</summary>
    public Task<List<ReconciledPlace>> ClaimFollowsAsync(string[] logs, CancellationToken cancel) => ClaimAsync("""
        INSERT INTO audit.reconciled (log, kind, claimant, claimed_until)
        SELECT log, 'follow', $1, now() + $2 FROM audit.heads WHERE log = ANY ($3) ORDER BY log
        ON CONFLICT (log, kind) DO UPDATE SET claimant = $1, claimed_until = now() + $2
        WHERE reconciled.claimant IS NULL OR reconciled.claimant = $1 OR reconciled.claimed_until < now()
        RETURNING log, kind, next_offset, next_outcome
        """, cancel, (object)logs);

    /// <summary>Claims the log whose pass is due for longest, and begins the pass unless it is begun.</summary>
    /// <param name="logs">Those that may be taken.</param>
    /// <param name="interval">From the beginning of a pass to that of the next.</param>
    /// <param name="now">By the clock that stores when passes begin.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<ReconciledPlace?> ClaimPassAsync(
        string[] logs, TimeSpan interval, DateTimeOffset now, CancellationToken cancel)
    {
        await using var make = database.Control.CreateCommand("""
            INSERT INTO audit.reconciled (log, kind)
            SELECT log, 'pass' FROM audit.heads WHERE log = ANY ($1) ORDER BY log ON CONFLICT DO NOTHING
            """);
        make.Parameters.Add(new() { Value = logs });
        await make.ExecuteNonQueryAsync(cancel);
        var claimed = await ClaimAsync("""
            UPDATE audit.reconciled SET claimant = $1, claimed_until = now() + $2,
                started_at = CASE WHEN completed_at IS NULL OR started_at > completed_at
                    THEN coalesce(started_at, $5) ELSE $5 END
            WHERE kind = 'pass' AND log = (
                SELECT log FROM audit.reconciled WHERE kind = 'pass' AND log = ANY ($3)
                    AND (claimant IS NULL OR claimant = $1 OR claimed_until < now())
                    AND (completed_at IS NULL OR started_at > completed_at OR started_at + $4 <= $5)
                ORDER BY started_at NULLS FIRST, log LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING log, kind, next_offset, next_outcome
            """, cancel, logs, interval, now.UtcDateTime);
        return claimed.SingleOrDefault();
    }

    /// <summary>Moves a place, if it is still where it was and ours.</summary>
    public async Task<bool> MoveAsync(
        NpgsqlTransaction transaction, ReconciledPlace from, ReconciledPlace to, CancellationToken cancel)
    {
        await using var move = new NpgsqlCommand("""
            UPDATE audit.reconciled SET next_offset = $5, next_outcome = $6, claimed_until = now() + $7
            WHERE log = $1 AND kind = $2 AND next_offset = $3 AND next_outcome = $4 AND claimant = $8
            """, transaction.Connection, transaction);
        move.Parameters.Add(new() { Value = from.Log });
        move.Parameters.Add(new() { Value = from.Kind });
        move.Parameters.Add(new() { Value = from.NextOffset });
        move.Parameters.Add(new() { Value = from.NextOutcome });
        move.Parameters.Add(new() { Value = to.NextOffset });
        move.Parameters.Add(new() { Value = to.NextOutcome });
        move.Parameters.Add(new() { Value = claimLifetime });
        move.Parameters.Add(new() { Value = claimant });
        return await move.ExecuteNonQueryAsync(cancel) == 1;
    }

    /// <summary>Moves a pass behind a checkpoint whose segment cannot be read.</summary>
    public async Task SkipAsync(ReconciledPlace place, SealedLog log, long checkpoint, CancellationToken cancel)
    {
        await using var skip = database.Control.CreateCommand("""
            UPDATE audit.reconciled SET claimed_until = now() + $3,
                next_offset = greatest(next_offset, (SELECT next_offset FROM audit.ranges
                    WHERE log = $1 AND source = $5 AND checkpoint <= $4 ORDER BY checkpoint DESC LIMIT 1)),
                next_outcome = greatest(next_outcome, (SELECT next_offset FROM audit.ranges
                    WHERE log = $1 AND source = $6 AND checkpoint <= $4 ORDER BY checkpoint DESC LIMIT 1))
            WHERE log = $1 AND kind = 'pass' AND claimant = $2
            """);
        skip.Parameters.Add(new() { Value = place.Log });
        skip.Parameters.Add(new() { Value = claimant });
        skip.Parameters.Add(new() { Value = claimLifetime });
        skip.Parameters.Add(new() { Value = checkpoint });
        skip.Parameters.Add(new() { Value = log.Sources[0].Name });
        skip.Parameters.Add(new() { Value = log.Sources[1].Name });
        await skip.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Notes that nothing is left to look at; a pass begins anew with the next claim.</summary>
    public async Task CompleteAsync(ReconciledPlace place, DateTimeOffset at, CancellationToken cancel)
    {
        await using var complete = database.Control.CreateCommand("""
            UPDATE audit.reconciled SET completed_at = $3,
                next_offset = CASE kind WHEN 'pass' THEN 0 ELSE next_offset END,
                next_outcome = CASE kind WHEN 'pass' THEN 0 ELSE next_outcome END
            WHERE log = $1 AND kind = $2 AND claimant = $4
            """);
        complete.Parameters.Add(new() { Value = place.Log });
        complete.Parameters.Add(new() { Value = place.Kind });
        complete.Parameters.Add(new() { Value = at.UtcDateTime });
        complete.Parameters.Add(new() { Value = claimant });
        await complete.ExecuteNonQueryAsync(cancel);
    }

    /// <returns>How far a source of the log is published.</returns>
    public async Task<long> PublishedToAsync(string log, EntrySource source, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT next_offset FROM audit.ranges WHERE log = $1 AND source = $2
                AND checkpoint <= (SELECT published FROM audit.heads WHERE log = $1)
            ORDER BY checkpoint DESC LIMIT 1
            """);
        query.Parameters.Add(new() { Value = log });
        query.Parameters.Add(new() { Value = source.Name });
        return await query.ExecuteScalarAsync(cancel) is long next ? next : 0;
    }

    /// <returns>Offsets of outcomes that nobody who counts has said, as far as they were found.</returns>
    public async Task<HashSet<long>> StrangeOutcomesAsync(string log, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand(
            "SELECT place FROM audit.differences WHERE kind = 'outcome-unknown' AND log = $1 AND place IS NOT NULL");
        query.Parameters.Add(new() { Value = log });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var strange = new HashSet<long>();
        while (await rows.ReadAsync(cancel)) strange.Add(rows.GetInt64(0));
        return strange;
    }

    /// <returns>How far the log is followed; 0 when it is not.</returns>
    public async Task<long> FollowedToAsync(string log, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand(
            "SELECT next_offset FROM audit.reconciled WHERE log = $1 AND kind = 'follow'");
        query.Parameters.Add(new() { Value = log });
        return await query.ExecuteScalarAsync(cancel) is long next ? next : 0;
    }

    /// <returns>By kind, when the log was done that was not done for longest; null when one never was.</returns>
    public async Task<List<(string Kind, DateTimeOffset? At)>> CompletedAsync(CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT kind, CASE WHEN bool_and(completed_at IS NOT NULL) THEN min(completed_at) END
            FROM audit.reconciled GROUP BY kind
            """);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var completed = new List<(string, DateTimeOffset?)>();
        while (await rows.ReadAsync(cancel))
            completed.Add((rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetFieldValue<DateTimeOffset>(1)));
        return completed;
    }

    /// <returns>The figures of every survey in a log, and up to which offset they go.</returns>
    public async Task<(Dictionary<int, SurveyFigures> Surveys, long NextOffset)> FiguresAsync(
        string log, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT r.next_offset, s.survey, s.counted, s.options, s.votes
            FROM audit.reconciled r LEFT JOIN audit.reconciled_surveys s USING (log)
            WHERE r.log = $1 AND r.kind = 'follow'
            """);
        query.Parameters.Add(new() { Value = log });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var (surveys, next) = (new Dictionary<int, SurveyFigures>(), 0L);
        while (await rows.ReadAsync(cancel))
        {
            next = rows.GetInt64(0);
            if (rows.IsDBNull(1)) continue;
            var figures = new SurveyFigures { Counted = rows.GetInt64(2) };
            AddVotes(figures, rows.GetFieldValue<int[]>(3), rows.GetFieldValue<long[]>(4));
            surveys.Add(rows.GetInt32(1), figures);
        }

        return (surveys, next);
    }

    /// <summary>Adds figures, in the transaction that moves the place: whoever moved it is alone here.</summary>
    public static async Task AddAsync(
        NpgsqlTransaction transaction, string log, IReadOnlyDictionary<int, SurveyFigures> surveys,
        CancellationToken cancel)
    {
        await LoadVotesAsync(transaction, log, surveys, cancel);
        foreach (var (survey, figures) in surveys)
        {
            await using var add = new NpgsqlCommand("""
                INSERT INTO audit.reconciled_surveys AS s
                    (survey, log, submitted, counted, held, rejected, repeated, set_aside, options, votes)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                ON CONFLICT (survey, log) DO UPDATE SET
                    submitted = s.submitted + $3, counted = s.counted + $4, held = s.held + $5,
                    rejected = s.rejected + $6, repeated = s.repeated + $7, set_aside = s.set_aside + $8,
                    options = $9, votes = $10
                """, transaction.Connection, transaction);
            add.Parameters.Add(new() { Value = survey });
            add.Parameters.Add(new() { Value = log });
            add.Parameters.Add(new() { Value = figures.Submitted });
            add.Parameters.Add(new() { Value = figures.Counted });
            add.Parameters.Add(new() { Value = figures.Held });
            add.Parameters.Add(new() { Value = figures.Rejected });
            add.Parameters.Add(new() { Value = figures.Repeated });
            add.Parameters.Add(new() { Value = figures.SetAside });
            add.Parameters.Add(new() { Value = figures.Votes.Keys.ToArray() });
            add.Parameters.Add(new() { Value = figures.Votes.Values.ToArray() });
            await add.ExecuteNonQueryAsync(cancel);
        }
    }

    private static async Task LoadVotesAsync(
        NpgsqlTransaction transaction, string log, IReadOnlyDictionary<int, SurveyFigures> surveys,
        CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand(
            "SELECT survey, options, votes FROM audit.reconciled_surveys WHERE log = $1 AND survey = ANY ($2)",
            transaction.Connection, transaction);
        query.Parameters.Add(new() { Value = log });
        query.Parameters.Add(new() { Value = surveys.Keys.ToArray() });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel))
            AddVotes(surveys[rows.GetInt32(0)], rows.GetFieldValue<int[]>(1), rows.GetFieldValue<long[]>(2));
    }

    private static void AddVotes(SurveyFigures to, int[] options, long[] votes)
    {
        foreach (var (option, count) in options.Zip(votes))
            to.Votes[option] = to.Votes.GetValueOrDefault(option) + count;
    }

    private async Task<List<ReconciledPlace>> ClaimAsync(
        string sql, CancellationToken cancel, params object[] more)
    {
        await using var claim = database.Control.CreateCommand(sql);
        claim.Parameters.Add(new() { Value = claimant });
        claim.Parameters.Add(new() { Value = claimLifetime });
        foreach (var value in more) claim.Parameters.Add(new() { Value = value });
        await using var rows = await claim.ExecuteReaderAsync(cancel);
        var claimed = new List<ReconciledPlace>();
        while (await rows.ReadAsync(cancel))
            claimed.Add(new(rows.GetString(0), rows.GetString(1), rows.GetInt64(2), rows.GetInt64(3)));
        return claimed;
    }
}
