using Npgsql;
using Voting.Contracts;

namespace Audit;

/// <summary>
/// Holds stored final results against the archived ends of their surveys, and those against the archived ballots. Some
/// hundred surveys at a time, all of them in turn. Not thread safe.
/// </summary>
internal sealed class CompareResults(
    AuditDatabase database, VotingRows rows, DifferenceTable differences, TimeSpan waitMax, TimeProvider clock)
{
    // A few kilobytes each.
    private const int CountMax = 500;

    private int _from = 1;

    /// <summary>Compares the results of the next surveys; a repeat begins anew once all were compared.</summary>
    public async Task CompareAsync(CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        // Of one moment: the sums are those of the offsets that logs are followed to.
        await using var moment = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, cancel);
        var ends = await EndsAsync(connection, moment, cancel);
        var to = ends.Count == CountMax ? ends[^1].Survey : int.MaxValue;
        var figures = await FiguresAsync(connection, moment, [.. ends.Select(end => end.Survey)], cancel);
        var followed = await FollowedAsync(connection, moment, cancel);
        var indexedAt = await IndexedAtAsync(connection, moment, cancel);
        await moment.CommitAsync(cancel);

        // Asked for last: what is archived by now was stored before.
        var stored = await rows.Results(new(_from, to, CountMax), cancel);
        if (stored.Count == CountMax) to = stored[^1].Survey;
        var results = stored.ToDictionary(result => result.Survey);
        var found = new List<Difference>();
        foreach (var end in ends.Where(end => end.Survey <= to))
        {
            results.Remove(end.Survey, out var result);
            if (FinalComparison.Altered(end, result, out var facts) is { } altered)
                found.Add(new(DifferenceKinds.FinalAltered, end.Survey, end.Survey, altered));
            if (facts is null || !IsFollowed(facts, followed)) continue;
            if (FinalComparison.Contradicted(facts, figures.GetValueOrDefault(end.Survey) ?? new()) is { } contradicted)
                found.Add(new(DifferenceKinds.FinalContradicted, end.Survey, end.Survey, contradicted));
        }

        found.AddRange(results.Values.Where(result => IsMissing(result, indexedAt)).Select(result => new Difference(
            DifferenceKinds.FinalAltered, result.Survey, result.Survey,
            "A final result is stored, and no end of the survey is archived.")));
        await differences.ReportAsync(
            new(DifferenceAreas.Reconciliation, SealedLogs.EventsName, DifferenceKinds.OfResults, _from, to + 1L),
            found, cancel);
        _from = to == int.MaxValue ? 1 : to + 1;
    }

    private static bool IsFollowed(FinalFacts facts, Dictionary<string, long> followed) => facts.Fences.All(
        fence => followed.GetValueOrDefault(SealedLogs.NameOf(fence.Key)) > fence.Value);

    /// <summary>The event is stored with the result, and is archived and indexed soon after.</summary>
    private bool IsMissing(RecordedResult result, DateTimeOffset? indexedAt) => indexedAt is { } until
        && (result.FinalAt is not { } at || until - at > waitMax || at - clock.GetUtcNow() > waitMax);

    private async Task<List<FinalSurvey>> EndsAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand("""
            SELECT survey, log, index, entry, event FROM audit.results WHERE survey >= $1 ORDER BY survey LIMIT $2
            """, connection, moment);
        query.Parameters.Add(new() { Value = _from });
        query.Parameters.Add(new() { Value = CountMax });
        await using var read = await query.ExecuteReaderAsync(cancel);
        var ends = new List<FinalSurvey>();
        while (await read.ReadAsync(cancel))
        {
            ends.Add(new(
                read.GetInt32(0), read.GetString(1), read.GetInt64(2), new(read.GetFieldValue<byte[]>(3)),
                read.GetFieldValue<byte[]>(4)));
        }

        return ends;
    }

    private static async Task<Dictionary<int, SurveyFigures>> FiguresAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, int[] surveys, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand(
            "SELECT survey, counted, options, votes FROM audit.reconciled_surveys WHERE survey = ANY ($1)",
            connection, moment);
        query.Parameters.Add(new() { Value = surveys });
        await using var read = await query.ExecuteReaderAsync(cancel);
        var all = new Dictionary<int, SurveyFigures>();
        while (await read.ReadAsync(cancel))
        {
            if (!all.TryGetValue(read.GetInt32(0), out var figures)) all.Add(read.GetInt32(0), figures = new());
            figures.Counted += read.GetInt64(1);
            foreach (var (option, count) in read.GetFieldValue<int[]>(2).Zip(read.GetFieldValue<long[]>(3)))
                figures.Votes[option] = figures.Votes.GetValueOrDefault(option) + count;
        }

        return all;
    }

    private static async Task<Dictionary<string, long>> FollowedAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand(
            "SELECT log, next_offset FROM audit.reconciled WHERE kind = 'follow'", connection, moment);
        await using var read = await query.ExecuteReaderAsync(cancel);
        var followed = new Dictionary<string, long>(StringComparer.Ordinal);
        while (await read.ReadAsync(cancel)) followed.Add(read.GetString(0), read.GetInt64(1));
        return followed;
    }

    /// <returns>Up to when archived ends are known; null when that is not known itself.</returns>
    private async Task<DateTimeOffset?> IndexedAtAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand("""
            SELECT i.checkpoint = h.published, s.sealed_at
            FROM audit.heads h JOIN audit.indexed i USING (log)
            LEFT JOIN audit.segments s ON s.log = h.log AND s.checkpoint = i.checkpoint
            WHERE h.log = $1
            """, connection, moment);
        query.Parameters.Add(new() { Value = SealedLogs.EventsName });
        await using var read = await query.ExecuteReaderAsync(cancel);
        if (!await read.ReadAsync(cancel)) return null;
        if (read.GetBoolean(0)) return clock.GetUtcNow();
        return read.IsDBNull(1) ? null : read.GetFieldValue<DateTimeOffset>(1);
    }
}
