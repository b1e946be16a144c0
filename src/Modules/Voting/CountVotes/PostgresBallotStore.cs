using System.Collections.Concurrent;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>Counted ballots in the shards.</summary>
internal sealed class PostgresBallotStore(VotingDatabase database) : IBallotStore
{
    private readonly ConcurrentDictionary<int, CopyBallots> _copies = new();

    public async Task<PartitionState> LoadAsync(int partition, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancel);
        // One snapshot, or a batch that commits between two reads would be half seen.
        await using var transaction = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, cancel);
        await using var batch = new NpgsqlBatch(connection, transaction);
        Add($"SELECT next_offset, recounts FROM {shard.Schema}.positions WHERE partition = $1");
        Add($"""
            SELECT greatest(
                (SELECT "offset" FROM {shard.Schema}.ballots WHERE partition = $1 ORDER BY "offset" DESC LIMIT 1),
                (SELECT "offset" FROM {shard.Schema}.refused WHERE partition = $1 ORDER BY "offset" DESC LIMIT 1), -1)
            """);
        Add($"""SELECT survey, "offset" FROM {shard.Schema}.fences WHERE partition = $1""");
        Add($"SELECT survey, version, ballots, options, votes FROM {shard.Schema}.tallies WHERE partition = $1");

        await using var rows = await batch.ExecuteReaderAsync(cancel);
        if (!await rows.ReadAsync(cancel))
        {
            throw new InvalidOperationException(
                $"{shard.Schema} holds no position of partition {partition}: run migrate.");
        }

        var place = new CountPlace(rows.GetInt64(0), rows.GetInt64(1));
        await rows.NextResultAsync(cancel);
        await rows.ReadAsync(cancel);
        var lastOutcome = rows.GetInt64(0);
        var fences = new Dictionary<int, long>();
        await rows.NextResultAsync(cancel);
        while (await rows.ReadAsync(cancel)) fences[rows.GetInt32(0)] = rows.GetInt64(1);
        var tallies = new Dictionary<int, PartitionTally>();
        await rows.NextResultAsync(cancel);
        while (await rows.ReadAsync(cancel))
        {
            var survey = rows.GetInt32(0);
            tallies[survey] = new(survey, partition, rows.GetInt64(1), rows.GetInt64(2),
                rows.GetFieldValue<int[]>(3), rows.GetFieldValue<long[]>(4));
        }

        return new(place, lastOutcome, fences, tallies);

        void Add(string sql)
        {
            var command = new NpgsqlBatchCommand(sql);
            command.Parameters.Add(new() { Value = partition });
            batch.BatchCommands.Add(command);
        }
    }

    public async Task<IBallotBatch?> BeginAsync(
        int partition, CountPlace expected, long next, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        var connection = await shard.Source.OpenConnectionAsync(cancel);
        try
        {
            var transaction = await connection.BeginTransactionAsync(cancel);
            await using var move = new NpgsqlCommand($"""
                UPDATE {shard.Schema}.positions SET next_offset = $3
                WHERE partition = $1 AND next_offset = $2 AND recounts = $5
                    AND (SELECT epoch FROM {shard.Schema}.shard) = $4
                """, connection, transaction);
            move.Parameters.Add(new() { Value = partition });
            move.Parameters.Add(new() { Value = expected.NextOffset });
            move.Parameters.Add(new() { Value = next });
            move.Parameters.Add(new() { Value = shard.Entry.Epoch });
            move.Parameters.Add(new() { Value = expected.Recounts });
            if (await move.ExecuteNonQueryAsync(cancel) == 1)
            {
                return new PostgresBallotBatch(
                    connection, transaction, shard.Schema, partition, _copies.GetOrAdd(partition, _ => new()));
            }


            await RefuseOldMapAsync(connection, shard, cancel);
            await connection.DisposeAsync();
            return null;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async Task<IReadOnlyList<Outcome>> OutcomesAsync(int partition, long from, long to, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var query = shard.Source.CreateCommand($"""
            WITH first AS (
                -- The outcome before the wanted ones: two looks at an index, whatever the partition holds.
                SELECT coalesce(greatest(
                    (SELECT "offset" FROM {shard.Schema}.ballots
                        WHERE partition = $1 AND "offset" < $2 ORDER BY "offset" DESC LIMIT 1),
                    (SELECT "offset" FROM {shard.Schema}.refused
                        WHERE partition = $1 AND "offset" < $2 ORDER BY "offset" DESC LIMIT 1)), $2) AS "offset")
            SELECT 1::smallint AS kind, NULL AS reason, survey, vote_id, voter_key, "offset", decided_at
            FROM {shard.Schema}.ballots
            WHERE partition = $1 AND "offset" >= (SELECT "offset" FROM first) AND "offset" < $3
            UNION ALL
            SELECT kind, reason, survey, vote_id, voter_key, "offset", decided_at
            FROM {shard.Schema}.refused
            WHERE partition = $1 AND "offset" >= (SELECT "offset" FROM first) AND "offset" < $3
            ORDER BY 6
            """);
        query.Parameters.Add(new() { Value = partition });
        query.Parameters.Add(new() { Value = from });
        query.Parameters.Add(new() { Value = to });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var outcomes = new List<Outcome>();
        var previous = -1L;
        while (await rows.ReadAsync(cancel))
        {
            var offset = rows.GetInt64(5);
            if (offset >= from)
            {
                outcomes.Add(new(
                    (OutcomeKind)rows.GetInt16(0), rows.GetInt32(2), Key16.Of(rows.GetFieldValue<byte[]>(3)),
                    Key16.Of(rows.GetFieldValue<byte[]>(4)), partition, offset, previous,
                    rows.GetFieldValue<DateTimeOffset>(6), rows.IsDBNull(1) ? null : rows.GetString(1)));
            }

            previous = offset;
        }

        return outcomes;
    }

    private static async Task RefuseOldMapAsync(
        NpgsqlConnection connection, ModuleShard shard, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"SELECT epoch FROM {shard.Schema}.shard", connection);
        if (await query.ExecuteScalarAsync(cancel) is int epoch && epoch != shard.Entry.Epoch)
        {
            throw new InvalidOperationException(
                $"{shard.Schema} is at epoch {epoch} and Shards__Map says {shard.Entry.Epoch}: "
                + "this process has another map.");
        }
    }
}
