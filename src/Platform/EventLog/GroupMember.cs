using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>One membership in a group: beats, starts work on partitions that come, ends it on those that go.</summary>
internal sealed partial class GroupMember(
    GroupTable table, Func<TopicPartition, long, PostgresLogReader> openReader,
    Func<IOwnedPartition, CancellationToken, Task> work, PostgresLogOptions options, TimeProvider time, ILogger logger)
    : IDisposable
{
    private readonly Dictionary<int, Work> _works = [];
    private readonly Signal _workEnded = new(time);

    // Runs out when the group may have given us up, however long a heartbeat hangs meanwhile; all work hangs on it.
    private CancellationTokenSource _lease = new(Timeout.InfiniteTimeSpan, time);
    private ExceptionDispatchInfo? _failure;

    public async Task RunAsync(CancellationToken stop)
    {
        // Wakes the loop when it is told to stop; its own waits are never cancelled, so that it always ends in order.
        await using var wakeOnStop = stop.UnsafeRegister(static signal => ((Signal)signal!).Set(), _workEnded);
        try
        {
            while (true)
            {
                var isLeaving = stop.IsCancellationRequested || _failure is not null;
                if (isLeaving) await CancelAsync(_works.Values);
                Reap();
                if (isLeaving && _works.Count == 0) break;
                await BeatAsync(isLeaving, stop);
                await _workEnded.WaitAsync(options.HeartbeatInterval, CancellationToken.None);
            }
        }
        catch (Exception e)
        {
            // Not an outage: the database refuses us for good. No work may go on without heartbeats.
            _failure ??= ExceptionDispatchInfo.Capture(e);
            await CancelAsync(_works.Values);
            await Task.WhenAll(_works.Values.Select(running => running.Task))
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await LeaveAsync();
        _failure?.Throw();
    }

    public void Dispose() => _lease.Dispose();

    /// <summary>Forgets work that has ended and must not be there; keeps the first failure.</summary>
    private void Reap()
    {
        foreach (var (partition, running) in _works.ToArray())
        {
            if (!running.Task.IsCompleted) continue;
            var wasCancelled = running.Cancel.IsCancellationRequested;
            var failure = running.Task.IsCanceled
                ? wasCancelled ? null : new TaskCanceledException(running.Task)
                : running.Task.Exception?.InnerException;
            if (failure is not null and not PartitionLostException) _failure ??= ExceptionDispatchInfo.Capture(failure);

            // Work that is simply done leaves the partition with us, or it would be started again at once.
            if (running.Task.IsCompletedSuccessfully && !wasCancelled) continue;
            _works.Remove(partition);
            running.Cancel.Dispose();
        }
    }

    private async Task BeatAsync(bool isLeaving, CancellationToken stop)
    {
        // Others count from when the database heard of us, which is later than this.
        var beganAt = time.GetTimestamp();
        BeatAnswer answer;
        try
        {
            answer = await table.BeatAsync([.. _works.Keys], isLeaving);
        }
        catch (Exception e) when (LogConnections.IsOutage(e))
        {
            BeatFailed(logger, e, table.Group, table.Topic);
            return;
        }

        if (_lease.IsCancellationRequested)
        {
            // Too late: our partitions may be others' by now. Once all work has ended we begin anew.
            if (_works.Count > 0) return;
            _lease.Dispose();
            _lease = new(Timeout.InfiniteTimeSpan, time);
        }

        var left = options.SessionTimeout - time.GetElapsedTime(beganAt);
        _lease.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        await CancelAsync(_works.Where(running => !answer.Owned.TryGetValue(running.Key, out var owned)
            || owned.Epoch != running.Value.Epoch).Select(running => running.Value));
        await GiveUpExcessAsync(answer);
        foreach (var (partition, owned) in answer.Owned)
        {
            if (!_works.ContainsKey(partition)) Start(partition, owned, stop);
        }
    }

    /// <summary>Ends work beyond our fair share; the partitions pass on when it has ended.</summary>
    private async Task GiveUpExcessAsync(BeatAnswer answer)
    {
        var staying = _works.Where(running => !running.Value.Cancel.IsCancellationRequested).ToArray();
        var excess = answer.Owned.Count - (_works.Count - staying.Length) - answer.Share;
        if (excess <= 0) return;
        var last = staying.OrderByDescending(running => running.Key).Take(excess);
        await CancelAsync(last.Select(running => running.Value));
    }

    private void Start(int partition, Owned owned, CancellationToken stop)
    {
        var cancel = CancellationTokenSource.CreateLinkedTokenSource(_lease.Token, stop);
        var reader = openReader(new(table.Topic, partition), owned.NextOffset);
        var mine = new OwnedPartition(table, new(table.Topic, partition), owned, reader);
        var running = Task.Run(() => WorkAsync(mine, cancel.Token), CancellationToken.None);
        _works[partition] = new(running, cancel, owned.Epoch);
        PartitionCame(logger, mine.Partition, table.Group, owned.Epoch, owned.NextOffset);
    }

    private async Task WorkAsync(OwnedPartition partition, CancellationToken cancel)
    {
        try
        {
            await work(partition, cancel);
        }
        finally
        {
            await partition.DisposeAsync();
            PartitionEnded(logger, partition.Partition, table.Group, partition.Epoch);
            _workEnded.Set();
        }
    }

    private async Task LeaveAsync()
    {
        try
        {
            await table.LeaveAsync();
        }
        catch (NpgsqlException e)
        {
            // They are free once the group has not heard of us for long enough.
            LeaveFailed(logger, e, table.Group, table.Topic);
        }
    }

    private static async Task CancelAsync(IEnumerable<Work> works)
    {
        foreach (var running in works.ToArray()) await running.Cancel.CancelAsync();
    }

    [LoggerMessage(LogLevel.Information, "Partition {Partition} came to {Group} here: epoch {Epoch}, from {Offset}")]
    private static partial void PartitionCame(
        ILogger logger, TopicPartition partition, string group, long epoch, long offset);

    [LoggerMessage(LogLevel.Information, "Work of {Group} on partition {Partition} ended, epoch {Epoch}")]
    private static partial void PartitionEnded(ILogger logger, TopicPartition partition, string group, long epoch);

    [LoggerMessage(LogLevel.Warning, "A heartbeat of group {Group} on {Topic} failed")]
    private static partial void BeatFailed(ILogger logger, Exception e, string group, string topic);

    [LoggerMessage(LogLevel.Warning, "Group {Group} could not be told that this member left {Topic}")]
    private static partial void LeaveFailed(ILogger logger, Exception e, string group, string topic);

    private sealed record Work(Task Task, CancellationTokenSource Cancel, long Epoch);
}
