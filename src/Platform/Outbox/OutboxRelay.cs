using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>
/// Brings events from the outboxes of one database to the log, and deletes them once the log has acknowledged them.
/// </summary>
/// <remarks>
/// One process at a time relays from a table, by a lock that goes with its transaction. The lock only spares repeats:
/// a holder that hangs loses it, and may append once more what its successor has appended. Every relay appends the
/// events of an aggregate in their order, and all that came before them is in the log or goes before them: so the first
/// records of each event stand in their order, whoever relays.
/// </remarks>
/// <param name="tables">Of one database.</param>
/// <param name="log">Where to.</param>
/// <param name="options">Interval and limit.</param>
/// <param name="appendWaitMax">Less than the server bears the silence of a transaction.</param>
/// <param name="metrics">Told of what waits.</param>
/// <param name="clock">Measures waits.</param>
/// <param name="logger">Told of outages.</param>
internal sealed partial class OutboxRelay(
    OutboxTables tables, IEventLog log, OutboxOptions options, TimeSpan appendWaitMax, OutboxMetrics metrics,
    TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MeasureInterval = TimeSpan.FromSeconds(5);

    // Those of which the log has not confirmed what it was given last.
    private readonly HashSet<OutboxTable> _doubtful = [];
    private TimeSpan _backoff;
    private long? _measuredAt;

    /// <summary>Relays until told to stop. Outlives outages of the database and of the log.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var pause = options.PollInterval;
            try
            {
                await MeasureAsync(stop);
                if (await RelayAllAsync(stop)) pause = TimeSpan.Zero;
                _backoff = TimeSpan.Zero;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (IsToBeOutlived(e))
            {
                pause = _backoff = _backoff == TimeSpan.Zero ? BackoffMin : Min(_backoff * 2, BackoffMax);
                var level = e is NpgsqlException && !LogConnections.IsOutage(e) ? LogLevel.Error : LogLevel.Warning;
                Interrupted(logger, level, e, tables.All[0].Schema);
            }

            await Task.Delay(pause, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Whether there may be more at once.</returns>
    private async Task<bool> RelayAllAsync(CancellationToken stop)
    {
        var isMore = false;
        Exception? failure = null;
        foreach (var table in await tables.FilledAsync(stop))
        {
            try
            {
                isMore |= await RelayAsync(table, stop);
            }
            catch (Exception e) when (!stop.IsCancellationRequested && IsToBeOutlived(e))
            {
                // One partition that takes nothing must not keep the other tables waiting.
                failure = e;
            }
        }

        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        return isMore;
    }

    /// <summary>Relays one batch, unless another process is at it.</summary>
    /// <returns>Whether there may be more at once.</returns>
    internal async Task<bool> RelayAsync(OutboxTable table, CancellationToken stop)
    {
        await using var connection = await tables.Source.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        if (!await table.TryLockAsync(transaction, stop)) return false;

        // What waits in the log's queue since a failure stays there: while it fails, each try adds one record to it.
        var countMax = _doubtful.Contains(table) ? 1 : options.BatchCountMax;
        var waiting = await table.ReadAsync(transaction, countMax, stop);
        var (sent, failure) = await AppendAsync(waiting);
        if (sent.Length > 0)
        {
            // What the log has is not said again because we are told to stop.
            await table.DeleteAsync(transaction, sent, CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
            metrics.Relayed(table, sent.Length);
        }

        if (failure is not null)
        {
            _doubtful.Add(table);
            ExceptionDispatchInfo.Throw(failure);
        }

        _doubtful.Remove(table);
        return waiting.Count == countMax;
    }

    /// <returns>The numbers of those that the log has, and why it has not all.</returns>
    private async Task<(long[] Sent, Exception? Failure)> AppendAsync(List<WaitingEvent> waiting)
    {
        using var patience = new CancellationTokenSource(appendWaitMax, clock);
        var partitions = log.PartitionCount(Outbox.Topic.Name);
        var appends = waiting.GroupBy(one => Outbox.PartitionOf(one.Aggregate, partitions))
            .Select(part => (Events: part, Done: AppendAsync(part.Key, part, patience.Token))).ToArray();
        var sent = new List<long>(waiting.Count);
        Exception? failure = null;
        foreach (var (events, done) in appends)
        {
            try
            {
                await done;
                sent.AddRange(events.Select(one => one.Number));
            }
            catch (Exception e) when (e is AppendFailedException or OperationCanceledException)
            {
                failure = e;
            }
        }

        return ([.. sent], failure);
    }

    private async Task AppendAsync(int partition, IEnumerable<WaitingEvent> events, CancellationToken cancel) =>
        await log.AppendAsync(
            new TopicPartition(Outbox.Topic.Name, partition), [.. events.Select(one => one.Record())], cancel);

    private async Task MeasureAsync(CancellationToken stop)
    {
        if (_measuredAt is { } at && clock.GetElapsedTime(at) < MeasureInterval) return;
        _measuredAt = clock.GetTimestamp();
        foreach (var table in tables.All) metrics.Forget(table);
        try
        {
            foreach (var (table, lag) in await tables.MeasureAsync(stop)) metrics.Set(table, lag);
        }
        catch (NpgsqlException e)
        {
            // Relaying outlives what a figure about it does not.
            Unknown(logger, e, tables.All[0].Schema);
        }
    }

    private static bool IsToBeOutlived(Exception e) => e is NpgsqlException or TimeoutException or IOException
        or AppendFailedException or OperationCanceledException;

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;

    [LoggerMessage(Message = "Events of {Schema} do not reach the log; they wait, and it goes on by itself")]
    private static partial void Interrupted(ILogger logger, LogLevel level, Exception failure, string schema);

    [LoggerMessage(LogLevel.Warning, "How many events of {Schema} wait for the log is not known now")]
    private static partial void Unknown(ILogger logger, Exception failure, string schema);
}
