using Platform;

namespace ResultsTests;

/// <summary>The log's side that readers see, in memory.</summary>
internal sealed class MemoryLog(int partitions) : IEventLog
{
    private readonly List<LogRecord>[] _records =
        [.. Enumerable.Range(0, partitions).Select(_ => new List<LogRecord>())];
    private readonly TaskCompletionSource[] _next =
        [.. Enumerable.Range(0, partitions).Select(_ => Arrival())];

    /// <summary>When set, every read fails with it.</summary>
    public volatile Exception? Failure;

    public int PartitionCount(string topic) => partitions;

    public ValueTask<long> AppendAsync(TopicPartition to, LogRecord record, CancellationToken cancel)
    {
        lock (_records)
        {
            _records[to.Partition].Add(record);
            Arrive(to.Partition);
            return new(_records[to.Partition].Count - 1);
        }
    }

    /// <summary>Asking for a range waits for it.</summary>
    public Task Reachable { get; set; } = Task.CompletedTask;

    public async ValueTask<LogRange> RangeAsync(TopicPartition of, CancellationToken cancel)
    {
        await Reachable.WaitAsync(cancel);
        lock (_records) return new(0, _records[of.Partition].Count);
    }

    public ILogReader OpenReader(TopicPartition from, long offset) => new Reader(this, from.Partition, (int)offset);

    /// <summary>Makes readers look again, at <see cref="Failure"/> too.</summary>
    public void Stir()
    {
        lock (_records)
        {
            for (var i = 0; i < partitions; i++) Arrive(i);
        }
    }

    public Task<long[]> AppendAsync(TopicPartition to, IReadOnlyList<LogRecord> records, CancellationToken cancel) =>
        throw new NotSupportedException();

    public Task ConsumeAsync(
        string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work, CancellationToken stop) =>
        throw new NotSupportedException();

    public ValueTask<IReadOnlyDictionary<int, long>> LagAsync(string group, string topic, CancellationToken cancel) =>
        throw new NotSupportedException();

    private void Arrive(int partition)
    {
        var arrived = _next[partition];
        _next[partition] = Arrival();
        arrived.TrySetResult();
    }

    private static TaskCompletionSource Arrival() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Reader(MemoryLog log, int partition, int offset) : ILogReader
    {
        private int _next = offset;

        public async ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(
            int countMax, TimeSpan waitMax, CancellationToken cancel)
        {
            while (true)
            {
                Task arrival;
                lock (log._records)
                {
                    if (log.Failure is { } failure) throw failure;
                    var records = log._records[partition];
                    if (records.Count > _next)
                    {
                        var count = Math.Min(countMax, records.Count - _next);
                        return [.. Enumerable.Range(0, count).Select(_ => Take(records))];
                    }

                    arrival = log._next[partition].Task;
                }

                await arrival.WaitAsync(cancel);
            }
        }

        private StoredRecord Take(List<LogRecord> records) =>
            new(_next, records[_next].Key, records[_next++].Value, []);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
