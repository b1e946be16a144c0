using System.Data;
using Mediator;
using Npgsql;
using Voting.Contracts;

namespace Voting;

/// <summary>Reads a partition's tallies with what their newest part is made of, all of one moment.</summary>
internal sealed class ReadPartitionTalliesHandler(VotingDatabase database)
    : IQueryHandler<ReadPartitionTallies, PartitionTallies>
{
    private const int StrayCountMax = 100;

    public async ValueTask<PartitionTallies> Handle(ReadPartitionTallies query, CancellationToken cancellationToken)
    {
        var shard = database.OfPartition(query.Partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancellationToken);
        await using var moment = await connection.BeginTransactionAsync(
            IsolationLevel.RepeatableRead, cancellationToken);
        var next = await PartitionPlace.ReadAsync(connection, moment, shard, query.Partition, cancellationToken);
        var tallies = await TalliesAsync(connection, moment, shard.Schema, query.Partition, cancellationToken);
        var since = next - query.From > query.CountMax
            ? null : await SinceAsync(connection, moment, shard.Schema, query, next, cancellationToken);
        var strays = await StraysAsync(connection, moment, shard.Schema, query.Partition, next, cancellationToken);
        return new(next, tallies, since, strays);
    }

    private static async Task<List<PartitionTally>> TalliesAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, string schema, int partition, CancellationToken cancel)
    {
        // A tally of a partition that is not the shard's would be added to results all the same.
        await using var query = new NpgsqlCommand($"""
            WITH held AS (SELECT min(partition) AS first, max(partition) AS last FROM {schema}.positions)
            SELECT survey, partition, version, ballots, {AsFound.Array("options")}, {AsFound.Array("votes")}
            FROM (
                SELECT * FROM {schema}.tallies WHERE partition = $1
                UNION ALL
                SELECT * FROM {schema}.tallies
                WHERE $1 = (SELECT first FROM held) AND partition < (SELECT first FROM held)
                UNION ALL
                SELECT * FROM {schema}.tallies
                WHERE $1 = (SELECT first FROM held) AND partition > (SELECT last FROM held)) AS tallies
            """, connection, moment);
        query.Parameters.Add(new() { Value = partition });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var tallies = new List<PartitionTally>();
        while (await rows.ReadAsync(cancel))
        {
            tallies.Add(new(
                rows.GetInt32(0), rows.GetInt32(1), rows.GetInt64(2), rows.GetInt64(3), rows.GetFieldValue<int[]>(4),
                rows.GetFieldValue<long[]>(5)));
        }

        return tallies;
    }

    private static async Task<List<PartitionTally>> SinceAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, string schema, ReadPartitionTallies asked, long next,
        CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            SELECT survey, {AsFound.Array("options")} FROM {schema}.ballots
            WHERE partition = $1 AND "offset" >= $2 AND "offset" < $3
            """, connection, moment);
        query.Parameters.Add(new() { Value = asked.Partition });
        query.Parameters.Add(new() { Value = asked.From });
        query.Parameters.Add(new() { Value = next });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var added = new Dictionary<int, (long Ballots, SortedDictionary<int, long> Votes)>();
        while (await rows.ReadAsync(cancel))
        {
            var survey = rows.GetInt32(0);
            if (!added.TryGetValue(survey, out var tally)) tally = (0, []);
            foreach (var option in rows.GetFieldValue<int[]>(1))
                tally.Votes[option] = tally.Votes.GetValueOrDefault(option) + 1;
            added[survey] = (tally.Ballots + 1, tally.Votes);
        }

        return [.. added.Select(one => new PartitionTally(
            one.Key, asked.Partition, next, one.Value.Ballots, [.. one.Value.Votes.Keys],
            [.. one.Value.Votes.Values]))];
    }

    /// <summary>Counting moves the position in the transaction that stores rows below it.</summary>
    private static async Task<List<StrayVote>> StraysAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, string schema, int partition, long next,
        CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            WITH held AS (SELECT min(partition) AS first, max(partition) AS last FROM {schema}.positions)
            SELECT * FROM (
                (SELECT partition, "offset", survey FROM {schema}.ballots
                    WHERE partition = $1 AND "offset" >= $2 ORDER BY "offset" LIMIT $3)
                UNION ALL
                (SELECT partition, "offset", survey FROM {schema}.refused
                    WHERE partition = $1 AND "offset" >= $2 ORDER BY "offset" LIMIT $3)
                UNION ALL
                (SELECT partition, "offset", survey FROM {schema}.ballots
                    WHERE $1 = (SELECT first FROM held) AND partition < (SELECT first FROM held) LIMIT $3)
                UNION ALL
                (SELECT partition, "offset", survey FROM {schema}.ballots
                    WHERE $1 = (SELECT first FROM held) AND partition > (SELECT last FROM held) LIMIT $3)) AS strays
            LIMIT $3
            """, connection, moment);
        query.Parameters.Add(new() { Value = partition });
        query.Parameters.Add(new() { Value = next });
        query.Parameters.Add(new() { Value = StrayCountMax });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var strays = new List<StrayVote>();
        while (await rows.ReadAsync(cancel)) strays.Add(new(rows.GetInt32(0), rows.GetInt64(1), rows.GetInt32(2)));
        return strays;
    }
}
