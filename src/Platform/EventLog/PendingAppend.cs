using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;

namespace Platform;

/// <summary>Records of one call, to one partition, that wait for a commit.</summary>
/// <remarks>The queue and the appender own all members but the answer, which the caller awaits.</remarks>
internal abstract class PendingAppend
{
    public TopicPartition To { get; protected set; }

    /// <summary>How many records the call brings.</summary>
    public abstract int Count { get; }

    /// <summary>How many of them the appender has taken so far.</summary>
    public int TakenCount { get; set; }

    /// <summary>Set by the appender: what it has not taken yet is not to be appended either.</summary>
    public bool HasFailed { get; protected set; }

    public abstract LogRecord Record(int index);

    /// <summary>
    /// The records from <paramref name="index"/> on are durable, at offsets that count up from this one.
    /// </summary>
    public abstract void Confirm(int index, int count, long firstOffset);

    /// <summary>Answers the call with a failure.</summary>
    public abstract void Fail(AppendFailure failure, string message, Exception? inner);
}

/// <summary>One record. Used again once both sides are done with it, so that a steady flow allocates none.</summary>
internal sealed class SingleAppend : PendingAppend, IValueTaskSource<long>
{
    // More than ever wait at once at a sensible load; what is above is left to the garbage collector.
    private const int PoolCountMax = 4_096;
    private static readonly ConcurrentQueue<SingleAppend> Pool = new();
    private static int pooledCount;

    // The appender's continuation must not run the caller's code.
    private ManualResetValueTaskSourceCore<long> _answer = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;
    private LogRecord _record;
    private int _isAnswered;
    private int _users;

    public override int Count => 1;

    /// <summary>The answer to await, once.</summary>
    public ValueTask<long> Answer => new(this, _answer.Version);

    public static SingleAppend Rent(TopicPartition to, in LogRecord record)
    {
        if (Pool.TryDequeue(out var append)) Interlocked.Decrement(ref pooledCount);
        else append = new();
        (append.To, append._record, append._users) = (to, record, 2);
        return append;
    }

    /// <summary>Lets the caller stop waiting. Called once, after the append is queued.</summary>
    public void WaitUntil(CancellationToken cancel) => _registration = cancel.UnsafeRegister(
        static (append, token) => ((SingleAppend)append!).Abandon(token), this);

    public override LogRecord Record(int index) => _record;

    public override void Confirm(int index, int count, long firstOffset)
    {
        if (Interlocked.Exchange(ref _isAnswered, 1) == 0) _answer.SetResult(firstOffset);
        Release();
    }

    public override void Fail(AppendFailure failure, string message, Exception? inner)
    {
        HasFailed = true;
        if (Interlocked.Exchange(ref _isAnswered, 1) == 0)
            _answer.SetException(new AppendFailedException(failure, message, inner));
        Release();
    }

    public ValueTaskSourceStatus GetStatus(short token) => _answer.GetStatus(token);

    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);

    public long GetResult(short token)
    {
        // Waits for a callback that is just running: after this, none can touch the next use of this object.
        _registration.Dispose();
        try
        {
            return _answer.GetResult(token);
        }
        finally
        {
            Release();
        }
    }

    private void Abandon(CancellationToken token)
    {
        if (Interlocked.Exchange(ref _isAnswered, 1) == 0)
            _answer.SetException(new OperationCanceledException(token));
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0) return;
        (_record, _registration, _isAnswered, TakenCount, HasFailed) = (default, default, 0, 0, false);
        _answer.Reset();
        if (Interlocked.Increment(ref pooledCount) <= PoolCountMax) Pool.Enqueue(this);
        else Interlocked.Decrement(ref pooledCount);
    }
}

/// <summary>Several records; they may be spread over several commits, in order.</summary>
internal sealed class ManyAppend : PendingAppend
{
    private readonly TaskCompletionSource<long[]> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IReadOnlyList<LogRecord> _records;
    private readonly long[] _offsets;
    private int _confirmedCount;

    public ManyAppend(TopicPartition to, IReadOnlyList<LogRecord> records)
    {
        (To, _records, _offsets) = (to, records, new long[records.Count]);
    }

    public override int Count => _offsets.Length;

    public Task<long[]> Answer => _answer.Task;

    public override LogRecord Record(int index) => _records[index];

    public override void Confirm(int index, int count, long firstOffset)
    {
        for (var i = 0; i < count; i++) _offsets[index + i] = firstOffset + i;
        _confirmedCount += count;
        if (_confirmedCount == _offsets.Length) _answer.SetResult(_offsets);
    }

    public override void Fail(AppendFailure failure, string message, Exception? inner)
    {
        HasFailed = true;
        // The earlier ones are in the log, so of the call as a whole it can no longer be said that nothing is.
        var ofAll = _confirmedCount == 0 ? failure : AppendFailure.Unknown;
        _answer.TrySetException(new AppendFailedException(ofAll, message, inner));
    }
}
