using System.Runtime.ExceptionServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>One membership in a group: starts work on partitions that come, ends it on those that go.</summary>
/// <remarks>
/// Everything happens on the thread that polls, which the client calls back on; only the works run elsewhere. The
/// client itself counts how long the coordinator was silent, and says after the session's time-out that the partitions
/// are lost. It begins to count when an answer arrives, the coordinator when it sends it: so for that long two members
/// may believe in one partition, which is why effects are fenced by themselves.
/// </remarks>
internal sealed partial class KafkaGroupMember : IDisposable
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<KafkaPartition, Work> _works = [];
    private readonly KafkaCommitter _committer = new();
    private readonly KafkaPump _pump;
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly KafkaClients _clients;
    private readonly string _group;
    private readonly string _topic;
    private readonly Func<IOwnedPartition, CancellationToken, Task> _work;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private ExceptionDispatchInfo? _failure;
    private bool _isEnding;

    public KafkaGroupMember(
        KafkaClients clients, string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work,
        TimeProvider time, ILogger logger)
    {
        (_clients, _group, _topic, _work, _time, _logger) = (clients, group, topic, work, time, logger);
        _pump = new(clients, time, logger);
        _consumer = clients.Consumer(clients.Named(group), builder => builder
            .SetPartitionsAssignedHandler((_, partitions) => Take(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => GiveBack([.. partitions.Select(p => p.TopicPartition)]))
            .SetPartitionsLostHandler((_, partitions) => Lose([.. partitions.Select(p => p.TopicPartition)])));
    }

    public async Task RunAsync(CancellationToken stop)
    {
        var committing = OnThreadOfItsOwn(() => _committer.Run(_consumer));
        try
        {
            await OnThreadOfItsOwn(() => Run(stop));
        }
        finally
        {
            // Work that was lost may still be at it; its commits are refused from here on.
            foreach (var running in _works.Values) await running.Task.ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing);
            _committer.Complete();
            await committing;
        }

        _failure?.Throw();
    }

    public void Dispose()
    {
        _consumer.Dispose();
        _committer.Dispose();
        foreach (var running in _works.Values) running.Cancel.Dispose();
    }

    private static Task OnThreadOfItsOwn(Action action) => Task.Factory.StartNew(
        action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken stop)
    {
        try
        {
            _consumer.Subscribe(_clients.Named(_topic));
            _pump.Run(_consumer, () => IsEnded(stop));
        }
        catch (Exception e)
        {
            // Brokers refuse us for good, or a partition could not be begun. No work may go on without us.
            _failure ??= ExceptionDispatchInfo.Capture(e);
            End();
        }

        WaitFor(_works.Values);
        _consumer.Close();
    }

    /// <summary>Looks after the works; called between polls.</summary>
    private bool IsEnded(CancellationToken stop)
    {
        foreach (var running in _works.Values.Where(running => !running.IsReaped && running.Task.IsCompleted))
        {
            running.IsReaped = true;
            if (running.Failure() is { } failure) _failure ??= ExceptionDispatchInfo.Capture(failure);
        }

        if (!_isEnding && (stop.IsCancellationRequested || _failure is not null)) End();
        // Until then we stay a member and go on polling: work may take a moment to end.
        return _isEnding && _works.Values.All(running => running.Task.IsCompleted);
    }

    private void End()
    {
        _isEnding = true;
        foreach (var running in _works.Values) running.Cancel.Cancel();
    }

    /// <returns>Where the client is to read from.</returns>
    private List<TopicPartitionOffset> Take(List<KafkaPartition> partitions)
    {
        var epoch = GroupGeneration.Of(_consumer.ConsumerGroupMetadata);
        var from = new List<TopicPartitionOffset>(partitions.Count);
        foreach (var (partition, committed) in Committed(partitions))
        {
            var range = Asked(() => _consumer.QueryWatermarkOffsets(partition, _clients.Options.RequestTimeout));
            if (committed is { } place && (place < range.Low.Value || place > range.High.Value))
            {
                throw new InvalidOperationException(
                    $"{_group} stands at {place} of {partition.Topic}-{partition.Partition.Value}, which holds "
                    + $"{range.Low.Value} to {range.High.Value}: the log has lost records.");
            }

            from.Add(new(partition, committed ?? range.Low.Value));
            if (!_isEnding) Start(partition, committed ?? 0, epoch);
        }

        return from;
    }

    private void Start(KafkaPartition partition, long position, long epoch)
    {
        // Work that was lost with the partition may not have ended yet: two at once would be two owners.
        var before = _works.GetValueOrDefault(partition);
        var buffer = _pump.Open(_consumer, partition);
        var mine = new KafkaOwnedPartition(
            new(_topic, partition.Partition.Value), partition, position, epoch, buffer, _committer, _time);
        var cancel = new CancellationTokenSource();
        var task = Task.Run(() => WorkAsync(before?.Task, mine, cancel.Token), CancellationToken.None);
        _works[partition] = new(mine, task, cancel);
        PartitionCame(_logger, mine.Partition, _group, epoch, position);
    }

    private async Task WorkAsync(Task? before, KafkaOwnedPartition partition, CancellationToken cancel)
    {
        if (before is not null) await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            if (!cancel.IsCancellationRequested) await _work(partition, cancel);
        }
        finally
        {
            PartitionEnded(_logger, partition.Partition, _group, partition.Epoch);
        }
    }

    /// <summary>The group wants them back: they pass on when this returns, so the works end first.</summary>
    private void GiveBack(KafkaPartition[] partitions)
    {
        var going = Works(partitions);
        foreach (var running in going) running.Cancel.Cancel();
        WaitFor(going);
        Forget(partitions);
    }

    /// <summary>Others may own them already.</summary>
    private void Lose(KafkaPartition[] partitions)
    {
        PartitionsLost(_logger, partitions.Length, _group);
        foreach (var running in Works(partitions))
        {
            running.Partition.Leave();
            running.Cancel.Cancel();
        }

        Forget(partitions);
    }

    private Work[] Works(KafkaPartition[] partitions) =>
        [.. partitions.Select(partition => _works.GetValueOrDefault(partition)).OfType<Work>()];

    private void Forget(KafkaPartition[] partitions)
    {
        foreach (var partition in partitions)
        {
            if (!_works.TryGetValue(partition, out var running)) continue;
            running.Partition.Leave();
            _pump.Close(partition, new PartitionLostException(running.Partition.Partition));
        }
    }

    /// <summary>
    /// Blocks the thread that polls: the client takes the return of its callback for the partition's release, and goes
    /// on with its heartbeats meanwhile.
    /// </summary>
    private static void WaitFor(IEnumerable<Work> works)
    {
        foreach (var running in works) ((IAsyncResult)running.Task).AsyncWaitHandle.WaitOne();
    }

    private IEnumerable<(KafkaPartition Partition, long? Committed)> Committed(List<KafkaPartition> partitions) =>
        from place in Asked(() => _consumer.Committed(partitions, _clients.Options.RequestTimeout))
        select (place.TopicPartition, place.Offset == Offset.Unset ? (long?)null : place.Offset.Value);

    /// <summary>Asks until brokers answer, or for as long as they bear a member that does not poll.</summary>
    private T Asked<T>(Func<T> ask)
    {
        var began = _time.GetTimestamp();
        while (true)
        {
            try
            {
                return ask();
            }
            catch (KafkaException e) when (KafkaClients.IsOutage(e.Error)
                && _time.GetElapsedTime(began) < _clients.Options.SessionTimeout)
            {
                PlaceUnknown(_logger, e.Error.Code, _group);
                using var pause = new ManualResetEventSlim();
                pause.Wait(RetryDelay);
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "Partition {Partition} came to {Group} here: epoch {Epoch}, from {Offset}")]
    private static partial void PartitionCame(
        ILogger logger, TopicPartition partition, string group, long epoch, long offset);

    [LoggerMessage(LogLevel.Information, "Work of {Group} on partition {Partition} ended, epoch {Epoch}")]
    private static partial void PartitionEnded(ILogger logger, TopicPartition partition, string group, long epoch);

    [LoggerMessage(LogLevel.Warning, "{Count} partitions of {Group} are lost to this member")]
    private static partial void PartitionsLost(ILogger logger, int count, string group);

    [LoggerMessage(LogLevel.Warning, "Kafka does not say where {Group} stands, {Code}; it is asked again")]
    private static partial void PlaceUnknown(ILogger logger, ErrorCode code, string group);

    private sealed record Work(KafkaOwnedPartition Partition, Task Task, CancellationTokenSource Cancel)
    {
        /// <summary>Whether its failure was taken note of.</summary>
        public bool IsReaped { get; set; }

        /// <returns>What ended it that should not have; null while it runs or when all is well.</returns>
        public Exception? Failure()
        {
            var wasCancelled = Cancel.IsCancellationRequested;
            var failure = Task.IsCanceled
                ? wasCancelled ? null : new TaskCanceledException(Task)
                : Task.Exception?.InnerException;
            return failure is PartitionLostException ? null : failure;
        }
    }
}
