using Npgsql;
using Platform;
using Testing;

namespace PlatformTests;

internal static class PartitionLock
{
    /// <summary>Holds the row that an append to the partition needs, until disposed.</summary>
    public static async Task<IAsyncDisposable> LockAsync(
        this TestDatabase database, TopicPartition partition, CancellationToken cancel)
    {
        var connection = await database.Source.OpenConnectionAsync(cancel);
        await using var hold = new NpgsqlCommand(
            "BEGIN; SELECT 1 FROM platform.log_partitions WHERE topic = @topic AND partition = @partition FOR UPDATE",
            connection);
        hold.Parameters.AddWithValue("topic", partition.Topic);
        hold.Parameters.AddWithValue("partition", partition.Partition);
        await hold.ExecuteNonQueryAsync(cancel);
        return connection;
    }
}
