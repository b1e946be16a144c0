using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace Audit;

/// <summary>
/// Keeps what was found, and tells it: once when it is found, once when it is gone; by an event, a log line, figures.
/// </summary>
internal sealed partial class DifferenceTable(
    AuditDatabase database, EventStamps stamps, DifferenceMetrics metrics, ILogger<DifferenceTable> logger)
{
    // Whoever empties a shard makes millions. What is behind that is still found again later; of an area and a log, so
    // that it hides nothing anywhere else.
    private const int OpenCountMax = 10_000;

    /// <summary>Writes down what was found where, in a transaction of its own.</summary>
    public async Task ReportAsync(LookedAt where, IReadOnlyList<Difference> found, CancellationToken cancel)
    {
        // As a rule nothing is open and nothing is found: no transaction for that.
        if (found.Count == 0 && !await IsOpenAsync(where, cancel)) return;
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var tell = await ReportAsync(transaction, where, found, cancel);
        await transaction.CommitAsync(cancel);
        tell();
    }

    /// <summary>The same in the caller's transaction.</summary>
    /// <returns>To be called once that is committed: then it is told to operators.</returns>
    public async Task<Action> ReportAsync(
        NpgsqlTransaction transaction, LookedAt where, IReadOnlyList<Difference> found, CancellationToken cancel)
    {
        var isNew = new List<Difference>();
        foreach (var difference in found)
        {
            if (!await InsertAsync(transaction, where, difference, cancel)) continue;
            isNew.Add(difference);
            await transaction.WriteEventAsync(database.ControlSchema, Found(where, difference), cancel);
        }

        var gone = await ResolveAsync(transaction, where, found, cancel);
        foreach (var difference in gone)
            await transaction.WriteEventAsync(database.ControlSchema, Gone(where, difference), cancel);
        return () => Tell(where, isNew, gone);
    }

    /// <returns>How many are open, by area and kind.</returns>
    public async Task<List<(string Area, string Kind, long Count)>> OpenAsync(CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand(
            "SELECT area, kind, count(*) FROM audit.differences WHERE resolved_at IS NULL GROUP BY 1, 2");
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var open = new List<(string, string, long)>();
        while (await rows.ReadAsync(cancel)) open.Add((rows.GetString(0), rows.GetString(1), rows.GetInt64(2)));
        return open;
    }

    private async Task<bool> IsOpenAsync(LookedAt where, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT count(*) > 0 FROM audit.differences
            WHERE resolved_at IS NULL AND area = $1 AND log = $2 AND kind = ANY ($3)
            """);
        query.Parameters.Add(new() { Value = where.Area });
        query.Parameters.Add(new() { Value = where.Log });
        query.Parameters.Add(new() { Value = where.Kinds });
        return await query.ExecuteScalarAsync(cancel) is true;
    }

    private static async Task<bool> InsertAsync(
        NpgsqlTransaction transaction, LookedAt where, Difference difference, CancellationToken cancel)
    {
        await using var insert = new NpgsqlCommand("""
            INSERT INTO audit.differences (area, kind, log, survey, place, detail)
            SELECT $1, $2, $3, $4, $5, $6
            WHERE (SELECT count(*) FROM audit.differences WHERE resolved_at IS NULL AND area = $1 AND log = $3) < $7
            ON CONFLICT DO NOTHING
            """, transaction.Connection, transaction);
        insert.Parameters.Add(new() { Value = where.Area });
        insert.Parameters.Add(new() { Value = difference.Kind });
        insert.Parameters.Add(new() { Value = where.Log });
        insert.Parameters.Add(new NpgsqlParameter<int?> { TypedValue = difference.Survey });
        insert.Parameters.Add(new NpgsqlParameter<long?> { TypedValue = difference.Place });
        insert.Parameters.Add(new() { Value = difference.Detail });
        insert.Parameters.Add(new() { Value = OpenCountMax });
        return await insert.ExecuteNonQueryAsync(cancel) == 1;
    }

    private static async Task<List<Difference>> ResolveAsync(
        NpgsqlTransaction transaction, LookedAt where, IReadOnlyList<Difference> found, CancellationToken cancel)
    {
        await using var resolve = new NpgsqlCommand("""
            UPDATE audit.differences SET resolved_at = now()
            WHERE resolved_at IS NULL AND area = $1 AND log = $2 AND kind = ANY ($3)
                AND ($4 IS NULL OR (place >= $4 AND place < $5))
                AND NOT EXISTS (
                    SELECT FROM unnest($6, $7, $8) AS again (kind, survey, place)
                    WHERE again.kind = differences.kind AND again.survey IS NOT DISTINCT FROM differences.survey
                        AND again.place IS NOT DISTINCT FROM differences.place)
            RETURNING kind, survey, place, detail
            """, transaction.Connection, transaction);
        resolve.Parameters.Add(new() { Value = where.Area });
        resolve.Parameters.Add(new() { Value = where.Log });
        resolve.Parameters.Add(new() { Value = where.Kinds });
        resolve.Parameters.Add(new NpgsqlParameter<long?> { TypedValue = where.From });
        resolve.Parameters.Add(new() { Value = where.To });
        resolve.Parameters.Add(new() { Value = found.Select(one => one.Kind).ToArray() });
        resolve.Parameters.Add(new() { Value = found.Select(one => one.Survey).ToArray() });
        resolve.Parameters.Add(new() { Value = found.Select(one => one.Place).ToArray() });
        await using var rows = await resolve.ExecuteReaderAsync(cancel);
        var gone = new List<Difference>();
        while (await rows.ReadAsync(cancel))
        {
            gone.Add(new(
                rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetInt32(1),
                rows.IsDBNull(2) ? null : rows.GetInt64(2), rows.GetString(3)));
        }

        return gone;
    }

    private OutboxEvent Found(LookedAt where, Difference one)
    {
        var stamp = stamps.New(EventActor.System(where.Area));
        return where.Area is DifferenceAreas.Reconciliation
            ? AuditEvents.DifferenceFound(stamp, where.Log, one)
            : AuditEvents.VerificationFailed(stamp, where.Log, one);
    }

    private OutboxEvent Gone(LookedAt where, Difference one)
    {
        var stamp = stamps.New(EventActor.System(where.Area));
        return where.Area is DifferenceAreas.Reconciliation
            ? AuditEvents.DifferenceResolved(stamp, where.Log, one)
            : AuditEvents.VerificationRestored(stamp, where.Log, one);
    }

    private void Tell(LookedAt where, List<Difference> found, List<Difference> gone)
    {
        foreach (var one in found)
        {
            metrics.Found(where.Area, one.Kind);
            if (where.Area is DifferenceAreas.Reconciliation)
                Differs(logger, where.Log, one.Survey, one.Place, one.Detail, one.Kind);
            else
                Fails(logger, where.Log, one.Place, one.Detail, one.Kind);
        }

        foreach (var one in gone) IsGone(logger, where.Log, one.Survey, one.Place, one.Detail, one.Kind);
    }

    [LoggerMessage(LogLevel.Error,
        "Reconciliation of {Log}, survey {Survey}, offset {Offset}: {Detail} [{Kind}] See "
        + "docs/operations/reconciliation.md")]
    private static partial void Differs(
        ILogger logger, string log, int? survey, long? offset, string detail, string kind);

    [LoggerMessage(LogLevel.Error,
        "Verification of {Log}, checkpoint {Checkpoint}: {Detail} [{Kind}] See docs/operations/reconciliation.md")]
    private static partial void Fails(ILogger logger, string log, long? checkpoint, string detail, string kind);

    [LoggerMessage(LogLevel.Information,
        "No more so in {Log}, survey {Survey}, place {Place}: {Detail} [{Kind}]")]
    private static partial void IsGone(
        ILogger logger, string log, int? survey, long? place, string detail, string kind);
}
