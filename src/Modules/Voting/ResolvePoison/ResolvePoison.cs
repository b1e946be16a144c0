using Npgsql;
using Platform;

namespace Voting;

/// <summary>A record that counting set aside, as an operator sees it.</summary>
/// <param name="SizeBytes">Of the record.</param>
/// <param name="ResolvedAt">Null while results wait for it.</param>
/// <param name="ReplayedAs">Offset of the replay that settled it; null where an operator did, or nobody yet.</param>
internal sealed record PoisonSeen(
    int Partition, long Offset, string Reason, int SizeBytes, DateTimeOffset SeenAt, DateTimeOffset? ResolvedAt,
    long? ReplayedAs);

/// <summary>
/// What operators do with records that could not be decoded: look at them, and settle that they are no votes. Those
/// that can be decoded by now are another matter (<see cref="ReplayPoison"/>).
/// </summary>
internal sealed class ResolvePoison(VotingDatabase database, ShardMap map, EventStamps stamps)
{
    /// <returns>All of them, by partition and offset.</returns>
    public async Task<List<PoisonSeen>> ListAsync(CancellationToken cancel)
    {
        var found = new List<PoisonSeen>();
        foreach (var shard in database.Shards)
        {
            await using var query = shard.Source.CreateCommand($"""
                SELECT partition, "offset", reason, octet_length(bytes), seen_at, resolved_at, replayed_as
                FROM {shard.Schema}.poison ORDER BY partition, "offset"
                """);
            await using var rows = await query.ExecuteReaderAsync(cancel);
            while (await rows.ReadAsync(cancel))
            {
                found.Add(new(
                    rows.GetInt32(0), rows.GetInt64(1), rows.GetString(2), rows.GetInt32(3),
                    rows.GetFieldValue<DateTimeOffset>(4),
                    rows.IsDBNull(5) ? null : rows.GetFieldValue<DateTimeOffset>(5),
                    rows.IsDBNull(6) ? null : rows.GetInt64(6)));
            }
        }

        return found;
    }

    /// <summary>Settles that the record is no vote. Its bytes stay. Repeating it changes nothing.</summary>
    /// <returns>False when no such record was set aside.</returns>
    public async Task<bool> DismissAsync(int partition, long offset, CancellationToken cancel)
    {
        if (partition < 0 || partition >= map.Partitions) return false;
        var shard = database.OfPartition(partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using var settle = new NpgsqlCommand($"""
            WITH found AS (
                SELECT partition, "offset", resolved_at IS NULL AS is_open FROM {shard.Schema}.poison
                WHERE partition = $1 AND "offset" = $2 AND (SELECT epoch FROM {shard.Schema}.shard) = $3 FOR UPDATE),
            settled AS (
                UPDATE {shard.Schema}.poison AS record SET resolved_at = now() FROM found
                WHERE (record.partition, record."offset") = (found.partition, found."offset") AND is_open)
            SELECT is_open FROM found
            """, connection, transaction);
        settle.Parameters.Add(new() { Value = partition });
        settle.Parameters.Add(new() { Value = offset });
        settle.Parameters.Add(new() { Value = shard.Entry.Epoch });
        if (await settle.ExecuteScalarAsync(cancel) is not bool isOpen) return false;
        if (!isOpen) return true;
        await transaction.WriteEventAsync(
            shard, OperatorEvents.PoisonDismissed(stamps.New(EventActor.Operator), partition, offset), cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return true;
    }
}
