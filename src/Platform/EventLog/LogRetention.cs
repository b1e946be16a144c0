using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>
/// Drops records of topics that have a retention, a few at a time. Any number of processes may do it at once.
/// </summary>
internal sealed partial class LogRetention(
    LogConnections connections, LogTopics topics, PostgresLogOptions options, TimeProvider time, ILogger logger)
{
    // A partition's row is locked while its batches are dropped, and appends to it wait: some milliseconds each.
    private const int BatchesMax = 500;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public async Task RunAsync(CancellationToken stop)
    {
        if (!topics.All.Any(topic => topic.Retention is not null)) return;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(options.RetentionInterval, time, stop);
                await TrimAllAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (LogConnections.IsOutage(e))
            {
                TrimFailed(logger, e);
            }
        }
    }

    private async Task TrimAllAsync(CancellationToken stop)
    {
        foreach (var topic in topics.All)
        {
            if (topic.Retention is not { } retention) continue;
            for (var partition = 0; partition < topic.Partitions; partition++)
            {
                while (await TrimAsync(new(topic.Name, partition), retention, stop) == BatchesMax)
                    await Task.Delay(Pause, time, stop);
            }
        }
    }

    private async Task<int> TrimAsync(TopicPartition partition, TimeSpan retention, CancellationToken stop)
    {
        await using var trim = connections.Pool.CreateCommand("SELECT platform.log_trim($1, $2, $3, $4)");
        trim.Parameters.Add(new NpgsqlParameter<string> { TypedValue = partition.Topic });
        trim.Parameters.Add(new NpgsqlParameter<int> { TypedValue = partition.Partition });
        trim.Parameters.Add(new() { Value = retention });
        trim.Parameters.Add(new NpgsqlParameter<int> { TypedValue = BatchesMax });
        var dropped = (int)(await trim.ExecuteScalarAsync(stop))!;
        if (dropped > 0) Trimmed(logger, dropped, partition);
        return dropped;
    }

    [LoggerMessage(LogLevel.Information, "Dropped {Count} batches of {Partition} that were past its retention")]
    private static partial void Trimmed(ILogger logger, int count, TopicPartition partition);

    [LoggerMessage(LogLevel.Warning, "Records past their retention could not be dropped")]
    private static partial void TrimFailed(ILogger logger, Exception e);
}
