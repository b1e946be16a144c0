using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;

namespace Audit;

/// <summary>
/// Signs, once a survey's result and all that was counted for it are archived, where in the logs it was counted.
/// </summary>
/// <remarks>
/// The archive's own count has to be the result's, option by option, and no difference may be open: what the archive
/// contradicts is not signed. One statement a survey: the first one stored is the one that the archive gets, whoever
/// makes it.
/// </remarks>
internal sealed partial class StateResults(
    AuditDatabase database, IArchiveStore store, SealedLogs logs, LogSigners signers,
    KeyRing keys, IOptions<ResultOptions> options, ReadingMetrics metrics,
    TimeProvider clock, ILogger<StateResults> logger)
    : BackgroundService
{
    private static readonly TimeSpan ContradictedInterval = TimeSpan.FromMinutes(1);

    private readonly Dictionary<int, long> _contradictedSaidAt = [];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loops.RepeatAsync(
        async stop =>
        {
            await RoundAsync(stop);
            return options.Value.PollInterval;
        },
        failure => Interrupted(logger, failure), clock, stoppingToken);

    /// <summary>Brings every result as far as it can be brought.</summary>
    public async Task RoundAsync(CancellationToken stop)
    {
        var waiting = await WaitingAsync(stop);
        foreach (var (end, statement) in waiting)
        {
            try
            {
                if (statement is not null) await ArchiveAsync(end.Survey, statement, stop);
                else if (await MakeAsync(end, stop) is { } made) await ArchiveAsync(end.Survey, made, stop);
            }
            catch (Exception e) when (e is ArchiveStoreException or InvalidDataException)
            {
                // What one survey's statement meets with keeps no other's waiting.
                Interrupted(logger, e);
            }
        }

        metrics.ResultsWaiting = waiting.Count;
    }

    /// <returns>The statement, stored; null while it cannot be made.</returns>
    private async Task<byte[]?> MakeAsync(FinalSurvey end, CancellationToken stop)
    {
        FinalFacts facts;
        try
        {
            facts = FinalFacts.Of(end.Event);
        }
        catch (InvalidDataException e)
        {
            SayContradicted(end.Survey, e.Message);
            return null;
        }

        // Of one moment: what is counted is in the checkpoints that are named.
        await using var connection = await database.Control.OpenConnectionAsync(stop);
        await using var moment = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, stop);
        if (await CountedAtAsync(connection, moment, end, facts, stop) is not { } counted) return null;
        var said = await ArchivedCount.ReadAsync(connection, moment, end.Survey, stop);
        await moment.CommitAsync(stop);
        if (said.Contradiction(end.Survey, facts, keys.Published()) is { } contradiction)
        {
            SayContradicted(end.Survey, contradiction);
            return null;
        }

        if (said.Indexed < facts.Ballots)
        {
            // What is not indexed yet is waited for; what the index has passed over never comes.
            if (said.IsIndexed)
            {
                SayContradicted(
                    end.Survey, $"the index of all that is archived counts {said.Indexed} ballots of {facts.Ballots}");
            }

            return null;
        }

        // A database that was set back does not know what it has stated before.
        var made = await FirstArchivedAsync(end, facts, stop)
            ?? ResultStatement.Sign(end, facts, counted, clock.GetUtcNow(), signers(logs.Events)[0]);
        return await StoreAsync(end.Survey, made, stop);
    }

    /// <returns>
    /// The checkpoints, if every log of votes is sealed, indexed and reconciled past the survey's fence; else null.
    /// </returns>
    private static async Task<List<CountedAt>?> CountedAtAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, FinalSurvey end, FinalFacts facts,
        CancellationToken stop)
    {
        await using var query = new NpgsqlCommand("""
            SELECT h.log, i.checkpoint, s.note, wanted.fence,
                (SELECT r.next_offset FROM audit.ranges r
                 WHERE r.log = h.log AND r.source = wanted.source AND r.checkpoint <= i.checkpoint
                 ORDER BY r.checkpoint DESC LIMIT 1),
                wanted.source = '' OR wanted.fence < (
                    SELECT next_offset FROM audit.reconciled f WHERE f.log = h.log AND f.kind = 'follow')
            FROM unnest($1, $2, $3) AS wanted (log, source, fence)
            JOIN audit.heads h USING (log) JOIN audit.indexed i USING (log)
            JOIN audit.segments s ON s.log = h.log AND s.checkpoint = i.checkpoint
            ORDER BY h.log
            """, connection, moment);
        var partitions = facts.Fences.Keys.Order().ToArray();
        query.Parameters.Add(new() { Value = partitions.Select(SealedLogs.NameOf).Append(end.Log).ToArray() });
        query.Parameters.Add(new() { Value = partitions.Select(Source).Append("").ToArray() });
        query.Parameters.Add(new() { Value = partitions.Select(one => facts.Fences[one]).Append(-1).ToArray() });
        await using var rows = await query.ExecuteReaderAsync(stop);
        var counted = new List<CountedAt>();
        while (await rows.ReadAsync(stop))
        {
            var log = rows.GetString(0);
            if ((rows.IsDBNull(4) ? 0 : rows.GetInt64(4)) <= rows.GetInt64(3)) return null;
            if (rows.IsDBNull(5) || !rows.GetBoolean(5)) return null;
            if (!SignedCheckpoint.TryParse(rows.GetString(2), out var note))
                throw new InvalidDataException($"The stored note of {log} is none.");
            counted.Add(new(log, rows.GetInt64(1), note.Checkpoint));
        }

        return counted.Count == partitions.Length + 1 ? counted : null;
    }

    private static string Source(int partition) => string.Create(CultureInfo.InvariantCulture, $"votes-{partition}");

    /// <returns>
    /// The oldest statement that the archive has of this result by one of the log's keys, or null. What else lies there
    /// anybody can have put; and a second statement of the same result says nothing else.
    /// </returns>
    private async Task<byte[]?> FirstArchivedAsync(FinalSurvey end, FinalFacts facts, CancellationToken stop)
    {
        var key = ResultStatement.Key(end.Survey);
        var known = signers(logs.Events).Select(signer => signer.Verifier).ToArray();
        byte[]? first = null;
        await foreach (var version in store.ListAsync(key, stop))
        {
            if (version.Key != key || version.SizeBytes > ResultStatement.SizeBytesMax) continue;
            ArchivedContent? content;
            try
            {
                content = await store.ReadAsync(key, version.VersionId, stop);
            }
            catch (ArchiveStoreException e) when (!e.IsTransient)
            {
                Refused(logger, e, key);
                continue;
            }

            if (content is not null && ResultStatement.TryOpen(content.Bytes, known, out var payload)
                && StatedResult.TryParse(payload, out var stated) && IsOf(stated, end, facts))
            {
                first = content.Bytes;
            }
        }

        return first;
    }

    private static bool IsOf(StatedResult stated, FinalSurvey end, FinalFacts facts) =>
        stated.Survey == end.Survey.ToString(CultureInfo.InvariantCulture) && stated.EndIndex == end.Index
        && stated.Version == facts.Version && stated.Signed == facts.Statement && stated.Ballots == facts.Ballots
        && stated.Votes.Values.Sum() == facts.Votes.Sum(vote => vote.Count)
        && facts.Votes.All(vote => stated.Votes.GetValueOrDefault(vote.Option) == vote.Count);

    private async Task<byte[]> StoreAsync(int survey, byte[] statement, CancellationToken stop)
    {
        await using var swap = database.Control.CreateCommand("""
            UPDATE audit.results SET statement = coalesce(statement, $2) WHERE survey = $1 RETURNING statement
            """);
        swap.Parameters.Add(new() { Value = survey });
        swap.Parameters.Add(new() { Value = statement });
        return (byte[])(await swap.ExecuteScalarAsync(stop))!;
    }

    private async Task ArchiveAsync(int survey, byte[] statement, CancellationToken stop)
    {
        var put = await store.PutAsync(
            ResultStatement.Key(survey), statement, ResultStatement.ContentType, stop);
        await using var publish = database.Control.CreateCommand(
            "UPDATE audit.results SET version_id = $2 WHERE survey = $1 AND version_id IS NULL");
        publish.Parameters.Add(new() { Value = survey });
        publish.Parameters.Add(new() { Value = put.VersionId });
        if (await publish.ExecuteNonQueryAsync(stop) != 1) return;
        metrics.Results.Add(1);
        Stated(logger, survey);
    }

    private async Task<List<(FinalSurvey End, byte[]? Statement)>> WaitingAsync(CancellationToken stop)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT survey, log, index, entry, event, statement FROM audit.results WHERE version_id IS NULL
            ORDER BY survey LIMIT 100
            """);
        await using var rows = await query.ExecuteReaderAsync(stop);
        var waiting = new List<(FinalSurvey, byte[]?)>();
        while (await rows.ReadAsync(stop))
        {
            var end = new FinalSurvey(
                rows.GetInt32(0), rows.GetString(1), rows.GetInt64(2), new(rows.GetFieldValue<byte[]>(3)),
                rows.GetFieldValue<byte[]>(4));
            waiting.Add((end, rows.IsDBNull(5) ? null : rows.GetFieldValue<byte[]>(5)));
        }

        return waiting;
    }

    private void SayContradicted(int survey, string reason)
    {
        if (_contradictedSaidAt.TryGetValue(survey, out var at) && clock.GetElapsedTime(at) < ContradictedInterval)
            return;
        _contradictedSaidAt[survey] = clock.GetTimestamp();
        Contradicted(logger, survey, reason);
    }

    [LoggerMessage(LogLevel.Information, "The statement of survey {SurveyId} is archived")]
    private static partial void Stated(ILogger logger, int surveyId);

    [LoggerMessage(LogLevel.Error, "The result of survey {SurveyId} is not stated: {Reason}")]
    private static partial void Contradicted(ILogger logger, int surveyId, string reason);

    [LoggerMessage(LogLevel.Warning, "The store refuses to give a version of {Key}: it is left out")]
    private static partial void Refused(ILogger logger, Exception failure, string key);

    [LoggerMessage(LogLevel.Warning, "Stating results was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);
}
