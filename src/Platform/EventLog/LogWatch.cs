using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>
/// Keeps the partitions' ends fresh: one query for all topics that somebody reads, at each notice from an appender and
/// at least every poll interval; so readers that wait cost the database nothing by themselves.
/// </summary>
internal sealed partial class LogWatch(
    LogConnections connections, LogEnds ends, PostgresLogOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>What appenders notify and the watch listens to.</summary>
    public const string Channel = "platform_log";

    // Many appenders notify 100 times a second each; looking this often is as good and has an upper bound.
    private static readonly TimeSpan LookIntervalMin = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromMilliseconds(500);

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await connections.Dedicated.OpenConnectionAsync(stop);
                await WatchAsync(connection, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (LogConnections.IsOutage(e))
            {
                WatchLost(logger, e);
                await Task.Delay(ReconnectDelay, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task WatchAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        var isNotified = false;
        connection.Notification += (_, _) => isNotified = true;
        await using (var listen = new NpgsqlCommand($"LISTEN {Channel}", connection))
            await listen.ExecuteNonQueryAsync(stop);

        await using var query = new NpgsqlCommand(
            "SELECT topic, partition, next_offset FROM platform.log_partitions WHERE topic = ANY ($1)", connection);
        query.Parameters.Add(new NpgsqlParameter<string[]>());
        await query.PrepareAsync(stop);

        while (true)
        {
            isNotified = false;
            var topics = ends.Topics();
            if (topics.Length > 0) await LookAsync(query, topics, stop);
            await Task.Delay(LookIntervalMin, time, stop);
            // A notice that came while we looked may be of a commit that we did not see.
            if (!isNotified) await connection.WaitAsync(options.PollInterval, stop);
        }
    }

    private async Task LookAsync(NpgsqlCommand query, string[] topics, CancellationToken stop)
    {
        ((NpgsqlParameter<string[]>)query.Parameters[0]).TypedValue = topics;
        await using var partitions = await query.ExecuteReaderAsync(stop);
        while (await partitions.ReadAsync(stop))
            ends.Advance(new(partitions.GetString(0), partitions.GetInt32(1)), partitions.GetInt64(2));
    }

    [LoggerMessage(LogLevel.Warning, "The log cannot be watched; readers learn of new records later")]
    private static partial void WatchLost(ILogger logger, Exception e);
}
