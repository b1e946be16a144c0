using Mediator;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>Reads rows as they lie in the shards, for whoever compares them with what was archived.</summary>
internal sealed class ReadRecordedVotesHandler(VotingDatabase database)
    : IQueryHandler<ReadRecordedVotes, RecordedVotes>
{
    public async ValueTask<RecordedVotes> Handle(ReadRecordedVotes query, CancellationToken cancellationToken)
    {
        var shard = database.OfPartition(query.Partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancellationToken);
        await using var moment = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        var next = await PartitionPlace.ReadAsync(connection, moment, shard, query.Partition, cancellationToken);
        await using var read = new NpgsqlCommand($"""
            SELECT "offset", 1::smallint AS kind, NULL AS reason, survey, voter_key, vote_id, entry,
                {AsFound.Time("accepted_at")}, {AsFound.Time("decided_at")}, {AsFound.Array("options")}, texts::text
            FROM {shard.Schema}.ballots WHERE partition = $1 AND "offset" >= $2 AND "offset" < $3
            UNION ALL
            SELECT "offset", kind, reason, survey, voter_key, vote_id, entry, {AsFound.Time("accepted_at")},
                {AsFound.Time("decided_at")}, NULL, NULL
            FROM {shard.Schema}.refused WHERE partition = $1 AND "offset" >= $2 AND "offset" < $3
            UNION ALL
            SELECT "offset", 5::smallint, NULL, 0, '', '', sha256(bytes), NULL, NULL, NULL, NULL
            FROM {shard.Schema}.poison WHERE partition = $1 AND "offset" >= $2 AND "offset" < $3
            """, connection, moment);
        read.Parameters.Add(new() { Value = query.Partition });
        read.Parameters.Add(new() { Value = query.From });
        read.Parameters.Add(new() { Value = query.To });
        await using var rows = await read.ExecuteReaderAsync(cancellationToken);
        var votes = new List<RecordedVote>();
        while (await rows.ReadAsync(cancellationToken)) votes.Add(Read(rows));
        return new(next, votes);
    }

    private static RecordedVote Read(NpgsqlDataReader row) => new(
        row.GetInt64(0), (RecordedAs)row.GetInt16(1), row.IsDBNull(2) ? null : row.GetString(2), row.GetInt32(3),
        row.GetFieldValue<byte[]>(4), row.GetFieldValue<byte[]>(5), row.GetFieldValue<byte[]>(6),
        row.IsDBNull(7) ? null : row.GetFieldValue<DateTimeOffset>(7),
        row.IsDBNull(8) ? null : row.GetFieldValue<DateTimeOffset>(8),
        row.IsDBNull(9) ? null : row.GetFieldValue<int[]>(9), row.IsDBNull(10) ? null : row.GetString(10));
}

/// <summary>
/// Columns as somebody may have left them: what has no value here reads as one that counting never stores, so that it
/// is found to be altered, and the rest is compared.
/// </summary>
internal static class AsFound
{
    /// <summary>Of one dimension, each null as -1.</summary>
    public static string Array(string column) =>
        $"ARRAY(SELECT coalesce(one, -1) FROM unnest({column}) WITH ORDINALITY AS every (one, at) ORDER BY at)";

    /// <summary>Null where it is of no year from 1 to 9999.</summary>
    public static string Time(string column) =>
        $"CASE WHEN {column} > '0001-01-02Z' AND {column} < '9999-12-30Z' THEN {column} END";
}

/// <summary>How far a partition is counted.</summary>
internal static class PartitionPlace
{
    /// <exception cref="InvalidSettingsException">The shard is at another epoch.</exception>
    public static async Task<long> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, ModuleShard shard, int partition,
        CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            SELECT next_offset FROM {shard.Schema}.positions
            WHERE partition = $1 AND (SELECT epoch FROM {shard.Schema}.shard) = $2
            """, connection, moment);
        query.Parameters.Add(new() { Value = partition });
        query.Parameters.Add(new() { Value = shard.Entry.Epoch });
        return await query.ExecuteScalarAsync(cancel) is long next
            ? next
            : throw new InvalidSettingsException(
                $"{shard.Schema} does not hold partition {partition} at the epoch that Shards__Map says.");
    }
}
