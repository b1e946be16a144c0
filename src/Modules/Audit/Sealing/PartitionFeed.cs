using Platform;

namespace Audit;

/// <summary>One partition of one topic: what was read of it and is not sealed. Belongs to one loop.</summary>
/// <param name="source">Which one.</param>
/// <param name="log">Where it is read.</param>
/// <param name="owned">Reads it first, where the group gave it to us; else null.</param>
/// <param name="stop">Ends what is being read.</param>
internal sealed class PartitionFeed(
    EntrySource source, IEventLog log, IOwnedPartition? owned, CancellationToken stop) : IAsyncDisposable
{
    // What a record takes besides its bytes.
    private const int RecordSizeBytes = 120;

    private static readonly TimeSpan ReadWait = TimeSpan.FromSeconds(30);

    private readonly TopicPartition _partition = new(source.Topic, source.Partition ?? 0);
    private readonly Queue<StoredRecord> _records = new();
    private ILogReader? _reader;
    private CancellationTokenSource? _end;
    private Task<IReadOnlyList<StoredRecord>>? _reading;
    private IOwnedPartition? _owned = owned;
    private long _from;

    public EntrySource Source => source;

    /// <summary>Where sealing goes on.</summary>
    public long From => _from;

    /// <summary>Everything below was read.</summary>
    public long Next { get; private set; }

    public int Count => _records.Count;

    public long SizeBytes { get; private set; }

    /// <summary>In the order of offsets.</summary>
    public IEnumerable<StoredRecord> Records => _records;

    /// <summary>Forgets what lies below an offset, and reads on there.</summary>
    /// <exception cref="InvalidOperationException">The log does not hold what comes next.</exception>
    public async ValueTask SeekAsync(long offset, CancellationToken cancel)
    {
        if (_reader is not null && offset >= _from && offset <= Next)
        {
            while (_records.TryPeek(out var record) && record.Offset < offset)
                SizeBytes -= SizeOf(_records.Dequeue());
            _from = offset;
            return;
        }

        await CloseAsync();
        var range = await log.RangeAsync(_partition, cancel);
        if (range.Start > offset)
        {
            throw new InvalidOperationException(
                $"{_partition} begins at {range.Start} and is archived up to {offset}: the log has dropped records "
                + "that were never archived.");
        }

        RequireReaching(range, offset);
        // It reads from its position on and cannot go back.
        _reader = _owned is { } ours && ours.Position <= offset ? ours : log.OpenReader(_partition, offset);
        _end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        (_from, Next) = (offset, offset);
    }

    /// <returns>The reading that is under way, begun if there was none.</returns>
    public Task Reading(int countMax) =>
        _reading ??= _reader!.ReadAsync(countMax, ReadWait, _end!.Token).AsTask();

    /// <summary>Takes in what was read, if the reading has ended.</summary>
    public async ValueTask TakeAsync()
    {
        if (_reading is not { IsCompleted: true } reading) return;
        _reading = null;
        foreach (var record in await reading)
        {
            if (record.Offset < Next) continue;
            _records.Enqueue(record);
            SizeBytes += SizeOf(record);
            Next = record.Offset + 1;
        }
    }

    /// <summary>Reads until everything below an offset is at hand.</summary>
    /// <exception cref="InvalidOperationException">The log ends before it.</exception>
    public async ValueTask LoadAsync(long to, int countMax, CancellationToken cancel)
    {
        if (Next >= to) return;
        RequireReaching(await log.RangeAsync(_partition, cancel), to);
        while (Next < to)
        {
            await Reading(countMax).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await TakeAsync();
            cancel.ThrowIfCancellationRequested();
        }
    }

    public static long SizeOf(in StoredRecord record) => record.Value.Length + RecordSizeBytes;

    public ValueTask DisposeAsync() => CloseAsync();

    private void RequireReaching(LogRange range, long offset)
    {
        if (range.End >= offset) return;
        throw new InvalidOperationException(
            $"{_partition} ends at {range.End} and is archived up to {offset}, or about to be: the log has lost "
            + "records. Restore it.");
    }

    private async ValueTask CloseAsync()
    {
        if (_reader is null) return;
        await _end!.CancelAsync();
        if (_reading is not null) await ((Task)_reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The group disposes of its own.
        if (_reader != _owned) await _reader.DisposeAsync();
        _end.Dispose();
        (_reader, _end, _reading, _owned) = (null, null, null, null);
        _records.Clear();
        SizeBytes = 0;
    }

}
