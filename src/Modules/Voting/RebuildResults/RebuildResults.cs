using System.Data;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>What a recount of a survey's rows gave.</summary>
/// <param name="Ballots">Rows.</param>
/// <param name="Corrected">Partitions whose tally was another than their rows give.</param>
/// <param name="Signed">Ballots of the signed result, where that is another than the rows give; else null.</param>
internal sealed record SurveyRecount(int Survey, long Ballots, int Corrected, long? Signed);

/// <summary>
/// Recounts the shards' rows by SQL of its own and corrects the tallies that differ: in the shards, and in the log so
/// that live results follow. Consumers may go on counting meanwhile.
/// </summary>
internal sealed class RebuildResults(
    VotingDatabase database, RecountRows rows, IEventLog log, ShardMap map, EventStamps stamps)
{
    /// <summary>A signed result never changes: where it is not what the rows give, both are left as they are.</summary>
    /// <param name="only">The survey; null means all that were ever published.</param>
    /// <param name="cancel">Ends it between partitions or in the middle of one; what is done is done whole.</param>
    /// <returns>By survey; empty when there is none.</returns>
    public async Task<IReadOnlyList<SurveyRecount>> HandleAsync(int? only, CancellationToken cancel)
    {
        // Before the rows are counted: what is signed by now has all its rows.
        var surveys = await rows.SurveysAsync(only, cancel);
        var counted = new List<RecountedTally>();
        var differing = new HashSet<int>();
        for (var partition = 0; partition < map.Partitions; partition++)
        {
            var tallies = await CompareAsync(partition, only, cancel);
            counted.AddRange(tallies);
            if (tallies.Any(tally => tally.Differs)) differing.Add(partition);
        }

        var unlike = new HashSet<int>();
        foreach (var (survey, signed) in surveys)
        {
            if (signed is not null && !signed.Is(counted.Where(tally => tally.Survey == survey))) unlike.Add(survey);
        }

        var corrected = new Dictionary<int, int>();
        foreach (var partition in differing)
        {
            foreach (var survey in await CorrectAsync(partition, only, unlike, cancel))
                corrected[survey] = corrected.GetValueOrDefault(survey) + 1;
        }

        return [.. surveys.OrderBy(survey => survey.Key).Select(survey => new SurveyRecount(
            survey.Key, counted.Where(tally => tally.Survey == survey.Key).Sum(tally => tally.Ballots),
            corrected.GetValueOrDefault(survey.Key), unlike.Contains(survey.Key) ? survey.Value!.Ballots : null))];
    }

    /// <summary>Without any lock: a batch's rows and tallies become visible together, so one snapshot may compare
    /// them.</summary>
    private async Task<List<RecountedTally>> CompareAsync(int partition, int? only, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
        return await RecountRows.CountAsync(connection, transaction, shard.Schema, partition, only, cancel);
    }

    /// <summary>Counts again while nobody else counts there, and corrects what differs.</summary>
    /// <remarks>
    /// What is in the log by then is older than what this says. It is said before it is committed: if this ends in
    /// between, the next run finds the same difference and says it again.
    /// </remarks>
    private async Task<List<int>> CorrectAsync(
        int partition, int? only, HashSet<int> except, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var place = await LockAsync(connection, transaction, shard, partition, cancel);
        var wrong = (await RecountRows.CountAsync(connection, transaction, shard.Schema, partition, only, cancel))
            .Where(tally => tally.Differs && !except.Contains(tally.Survey)).ToList();
        if (wrong.Count == 0) return [];

        await using var write = new NpgsqlBatch(connection, transaction);
        var said = new List<Task>();
        foreach (var tally in wrong)
        {
            // Counting never gave out more than the offset, and one more for every correction before this one.
            var version = Math.Max(place.NextOffset + place.Recounts, tally.StoredVersion) + 1;
            var right = new PartitionTally(
                tally.Survey, partition, version, tally.Ballots, tally.Options, tally.Votes);
            write.BatchCommands.Add(Store(shard.Schema, right));
            said.Add(SayAsync(right, cancel));
        }

        // Whoever counts here has the wrong tallies in memory, and looks at this number before it writes.
        write.BatchCommands.Add(new($"UPDATE {shard.Schema}.positions SET recounts = recounts + 1 WHERE partition = $1")
        {
            Parameters = { new() { Value = partition } },
        });
        await Task.WhenAll(said);
        await write.ExecuteNonQueryAsync(cancel);
        var told = OperatorEvents.ResultsRebuilt(
            stamps.New(EventActor.Operator), partition, wrong.Select(tally => tally.Survey));
        await transaction.WriteEventAsync(shard, told, cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return [.. wrong.Select(tally => tally.Survey)];
    }

    private Task<long> SayAsync(PartitionTally tally, CancellationToken cancel) => log.AppendAsync(
        new(PartitionTally.Topic, tally.Survey % log.PartitionCount(PartitionTally.Topic)),
        new LogRecord(VotingTopics.TallyKey(tally), tally.ToBytes()), cancel).AsTask();

    private static async Task<CountPlace> LockAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, ModuleShard shard, int partition,
        CancellationToken cancel)
    {
        await using var take = new NpgsqlCommand($"""
            SELECT next_offset, recounts FROM {shard.Schema}.positions
            WHERE partition = $1 AND (SELECT epoch FROM {shard.Schema}.shard) = $2 FOR UPDATE
            """, connection, transaction);
        take.Parameters.Add(new() { Value = partition });
        take.Parameters.Add(new() { Value = shard.Entry.Epoch });
        await using var row = await take.ExecuteReaderAsync(cancel);
        return await row.ReadAsync(cancel)
            ? new(row.GetInt64(0), row.GetInt64(1))
            : throw new InvalidSettingsException(
                $"{shard.Schema} does not hold partition {partition} at the epoch that Shards__Map says.");
    }

    private static NpgsqlBatchCommand Store(string schema, PartitionTally tally) => new($"""
        INSERT INTO {schema}.tallies (survey, partition, version, ballots, options, votes)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (survey, partition) DO UPDATE SET
            version = excluded.version, ballots = excluded.ballots, options = excluded.options, votes = excluded.votes
        """)
    {
        Parameters =
        {
            new() { Value = tally.Survey }, new() { Value = tally.Partition }, new() { Value = tally.Version },
            new() { Value = tally.Ballots }, new() { Value = tally.Options.ToArray() },
            new() { Value = tally.Votes.ToArray() },
        },
    };
}
