using Platform;

namespace VotingTests;

/// <summary>What becomes of one append.</summary>
internal enum AppendFate
{
    Confirmed,

    /// <summary>It stands in the log, and nobody is told within any patience.</summary>
    NeverAnswered,

    /// <summary>It stands in the log, and its caller is told that nobody knows.</summary>
    UnknownButThere,

    /// <summary>It never comes to stand there, and its caller is told that nobody knows.</summary>
    UnknownAndLost,

    NotPersisted,

    Overloaded,
}

/// <summary>The partitions of <c>votes</c>, which outlive every process.</summary>
internal sealed class SimulatedLog(SimulatedTime time, int partitions)
{
    public List<StoredRecord>[] Partitions { get; } = [.. Enumerable.Range(0, partitions).Select(_ =>
        new List<StoredRecord>())];

    /// <summary>How one process reaches the log.</summary>
    /// <param name="log">The log itself.</param>
    /// <param name="machine">Whose appends get lost with it, where they are still on their way.</param>
    /// <param name="fates">Of its appends, in turn; confirmed when there are no more.</param>
    public sealed class Client(SimulatedLog log, SimulatedMachine machine, Queue<AppendFate> fates) : IEventLog
    {
        private readonly long[] _placedUntil = new long[log.Partitions.Length];

        /// <summary>Whether the broker has what a machine had sent when it died.</summary>
        public bool LosesWhatIsUnderWay { get; init; }

        public int PartitionCount(string topic) => log.Partitions.Length;

        public ValueTask<long> AppendAsync(TopicPartition to, LogRecord record, CancellationToken cancel)
        {
            cancel.ThrowIfCancellationRequested();
            var fate = fates.TryDequeue(out var drawn) ? drawn : AppendFate.Confirmed;
            var answer = new TaskCompletionSource<long>();
            // Of one caller's appends none overtakes another.
            var latency = log._time.Chance(20) ? log._time.Draw(0, 4_000) : log._time.Draw(0, 30);
            var placedAt = Math.Max(
                log._time.Now + latency * TimeSpan.TicksPerMillisecond, _placedUntil[to.Partition]);
            _placedUntil[to.Partition] = placedAt;
            log._time.At(placedAt, () => log.Place(to.Partition, record, fate, answer,
                isLost: LosesWhatIsUnderWay && machine.IsDead));
            return new(answer.Task.WaitAsync(cancel));
        }

        public Task<long[]> AppendAsync(
            TopicPartition to, IReadOnlyList<LogRecord> records, CancellationToken cancel) =>
            throw new NotSupportedException();

        public ValueTask<LogRange> RangeAsync(TopicPartition of, CancellationToken cancel) => new(log._time.Ask(
            30, () => new LogRange(0, log.Partitions[of.Partition].Count)).WaitAsync(cancel));

        public ILogReader OpenReader(TopicPartition from, long offset) => throw new NotSupportedException();

        public Task ConsumeAsync(
            string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work, CancellationToken stop) =>
            throw new NotSupportedException();

        public ValueTask<IReadOnlyDictionary<int, long>> LagAsync(
            string group, string topic, CancellationToken cancel) => throw new NotSupportedException();
    }

    private readonly SimulatedTime _time = time;

    private void Place(
        int partition, LogRecord record, AppendFate fate, TaskCompletionSource<long> answer, bool isLost)
    {
        var failure = isLost ? AppendFailure.Unknown : fate switch
        {
            AppendFate.Confirmed or AppendFate.NeverAnswered => (AppendFailure?)null,
            AppendFate.UnknownButThere or AppendFate.UnknownAndLost => AppendFailure.Unknown,
            AppendFate.Overloaded => AppendFailure.Overloaded,
            _ => AppendFailure.NotPersisted,
        };
        var offset = (long)Partitions[partition].Count;
        if (!isLost && fate is AppendFate.Confirmed or AppendFate.NeverAnswered or AppendFate.UnknownButThere)
            Partitions[partition].Add(new(offset, record.Key, record.Value, record.Headers ?? []));
        if (fate is AppendFate.NeverAnswered) return;
        _time.After(_time.Draw(0, 30), () =>
        {
            if (failure is { } what) answer.TrySetException(new AppendFailedException(what, "Drawn."));
            else answer.TrySetResult(offset);
        });
    }
}
