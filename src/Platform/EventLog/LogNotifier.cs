using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>
/// Tells other processes that there is something new, on a connection of its own: PostgreSQL lets transactions that
/// notify commit one after the other only, which must not hold up appends.
/// </summary>
internal sealed partial class LogNotifier(LogConnections connections, TimeProvider time, ILogger logger)
{
    // 100/s: whoever misses one is at most a poll interval late.
    private static readonly TimeSpan NotifyIntervalMin = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromSeconds(1);

    private readonly Signal _appended = new(time);

    /// <summary>Something was appended.</summary>
    public void Notify() => _appended.Set();

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await connections.Dedicated.OpenConnectionAsync(stop);
                await NotifyAsync(connection, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (LogConnections.IsOutage(e))
            {
                NotifierLost(logger, e);
                await Task.Delay(ReconnectDelay, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task NotifyAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        // There is nothing in a notice that could be lost, so it need not wait for the disk or for a standby.
        await using (var relax = new NpgsqlCommand("SET synchronous_commit = off", connection))
            await relax.ExecuteNonQueryAsync(stop);

        await using var notify = new NpgsqlCommand($"NOTIFY {LogWatch.Channel}", connection);
        while (await _appended.WaitAsync(Timeout.InfiniteTimeSpan, stop))
        {
            await notify.ExecuteNonQueryAsync(stop);
            await Task.Delay(NotifyIntervalMin, time, stop);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Other processes cannot be notified; they learn of new records by looking")]
    private static partial void NotifierLost(ILogger logger, Exception e);
}
