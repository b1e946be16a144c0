using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>
/// Readers outside groups share consumers: a consumer keeps connections and threads for every broker, and can read
/// many partitions, but each of them at one place only. So there are as many as readers of one partition at once.
/// </summary>
internal sealed class KafkaReaders(KafkaClients clients, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Shared> _shared = [];
    private bool _isDisposed;

    /// <summary>Begins to read a partition ahead.</summary>
    public KafkaPlace Open(KafkaPartition partition, long offset)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var shared = _shared.Find(one => !one.IsBroken && !one.Pump.Has(partition));
            if (shared is null) _shared.Add(shared = new(clients, time, logger));
            var buffer = shared.Pump.Open(shared.Consumer, partition);
            shared.Consumer.IncrementalAssign([new TopicPartitionOffset(partition, offset)]);
            return new(buffer, () => Close(shared, partition));
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock) _isDisposed = true;
        foreach (var shared in _shared) await shared.DisposeAsync();
    }

    private void Close(Shared shared, KafkaPartition partition)
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            // First what lifts its pause, which only an assigned partition can be freed from.
            shared.Pump.Close(partition, new ObjectDisposedException(nameof(KafkaReader)));
            shared.Consumer.IncrementalUnassign([partition]);
        }
    }

    private sealed class Shared : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _polling;

        public Shared(KafkaClients clients, TimeProvider time, ILogger logger)
        {
            Pump = new(clients, time, logger);
            Consumer = clients.Consumer(null);
            _polling = Task.Factory.StartNew(
                Poll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        public KafkaPump Pump { get; }

        public bool IsBroken => _polling.IsCompleted;

        public IConsumer<byte[]?, byte[]?> Consumer { get; }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _polling;
            Consumer.Dispose();
            _stop.Dispose();
        }

        private void Poll()
        {
            try
            {
                Pump.Run(Consumer, () => _stop.IsCancellationRequested);
            }
            catch (KafkaException e)
            {
                // Whoever reads by this consumer is told, and ends: brokers refuse us for good.
                Pump.CloseAll(e);
            }
        }
    }
}

/// <summary>What is read ahead from one place on, and how to leave it.</summary>
internal sealed record KafkaPlace(PartitionBuffer Buffer, Action Leave);

/// <summary>Reads one partition outside any group.</summary>
internal sealed class KafkaReader(
    TopicPartition from, long offset, Func<CancellationToken, ValueTask<LogRange>> rangeAsync,
    Func<long, KafkaPlace> open) : ILogReader
{
    private long _nextOffset = offset;
    private KafkaPlace? _place;
    private bool _isDisposed;

    public async ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(
        int countMax, TimeSpan waitMax, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(countMax, 1);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        cancel.ThrowIfCancellationRequested();
        try
        {
            _place ??= await OpenAsync(cancel);
            return Passed(await _place.Buffer.ReadAsync(countMax, waitMax, cancel));
        }
        catch (PlaceLostException)
        {
            // Retention has passed us by, or the log was set back: opening it anew tells the two apart.
            _place?.Leave();
            _place = null;
            _place = await OpenAsync(cancel);
            return Passed(await _place.Buffer.ReadAsync(countMax, waitMax, cancel));
        }
    }

    public ValueTask DisposeAsync()
    {
        if (!_isDisposed) _place?.Leave();
        _isDisposed = true;
        return ValueTask.CompletedTask;
    }

    private IReadOnlyList<StoredRecord> Passed(IReadOnlyList<StoredRecord> records)
    {
        if (records.Count > 0) _nextOffset = records[^1].Offset + 1;
        return records;
    }

    private async ValueTask<KafkaPlace> OpenAsync(CancellationToken cancel)
    {
        var range = await rangeAsync(cancel);
        if (range.End < _nextOffset)
        {
            throw new InvalidOperationException(
                $"{from} ends at {range.End} but is to be read from {_nextOffset}: the log has lost records.");
        }

        _nextOffset = Math.Max(_nextOffset, range.Start);
        return open(_nextOffset);
    }
}
