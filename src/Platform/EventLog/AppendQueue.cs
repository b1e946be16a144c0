namespace Platform;

/// <summary>
/// What waits to be appended, in the order of the calls. Added to by any thread, taken from by the appender.
/// </summary>
internal sealed class AppendQueue(PostgresLogOptions options, TimeProvider time)
{
    private readonly Queue<PendingAppend> _waiting = new();
    private readonly Lock _lock = new();
    private readonly Signal _added = new(time);
    private int _count;
    private long _sizeBytes;
    private bool _isClosed;

    /// <exception cref="AppendFailedException">Overloaded, or not persisted once the queue is closed.</exception>
    public void Add(PendingAppend append, long sizeBytes)
    {
        bool wasEmpty;
        lock (_lock)
        {
            if (_isClosed) throw new AppendFailedException(AppendFailure.NotPersisted, "The log has stopped.");
            wasEmpty = _waiting.Count == 0;
            // One call alone is always taken, or a long list could never be appended at all.
            if (!wasEmpty && (_count + append.Count > options.QueueCountMax
                    || _sizeBytes + sizeBytes > options.QueueSizeBytesMax))
            {
                throw new AppendFailedException(
                    AppendFailure.Overloaded, $"{_count} records of {_sizeBytes} bytes wait to be appended already.");
            }

            _waiting.Enqueue(append);
            _count += append.Count;
            _sizeBytes += sizeBytes;
        }

        if (wasEmpty) _added.Set();
    }

    /// <summary>Waits until there may be something to take.</summary>
    public async ValueTask WaitAsync(CancellationToken cancel) =>
        await _added.WaitAsync(Timeout.InfiniteTimeSpan, cancel);

    /// <summary>Moves what waits into a commit, in order, up to its limits.</summary>
    public void TakeInto(AppendCommit commit)
    {
        lock (_lock)
        {
            while (_waiting.TryPeek(out var append))
            {
                var from = append.TakenCount;
                while (append.TakenCount < append.Count && !append.HasFailed)
                {
                    var record = append.Record(append.TakenCount);
                    var size = RecordCodec.SizeBytes(record);
                    if (!commit.HasRoomFor(size)) break;
                    commit.Reserve(size);
                    append.TakenCount++;
                    Forget(1, size);
                }

                if (append.TakenCount > from) commit.Add(append, from, append.TakenCount - from);
                if (append.HasFailed) ForgetRest(append);
                else if (append.TakenCount < append.Count) return;
                _waiting.Dequeue();
            }
        }
    }

    /// <summary>Takes nothing more; what waits stays.</summary>
    public void Close()
    {
        lock (_lock) _isClosed = true;
    }

    /// <summary>Answers all that wait with <see cref="AppendFailure.NotPersisted"/>.</summary>
    public void FailAll(string message, Exception? inner)
    {
        PendingAppend[] failed;
        lock (_lock)
        {
            failed = [.. _waiting];
            _waiting.Clear();
            (_count, _sizeBytes) = (0, 0);
        }

        foreach (var append in failed)
        {
            if (!append.HasFailed) append.Fail(AppendFailure.NotPersisted, message, inner);
        }
    }

    private void ForgetRest(PendingAppend append)
    {
        for (; append.TakenCount < append.Count; append.TakenCount++)
            Forget(1, RecordCodec.SizeBytes(append.Record(append.TakenCount)));
    }

    private void Forget(int count, int sizeBytes)
    {
        _count -= count;
        _sizeBytes -= sizeBytes;
    }
}
