using System.Threading.Tasks.Sources;
using Confluent.Kafka;

namespace Platform;

/// <summary>A call that waits for its records to be acknowledged.</summary>
internal interface IKafkaAppend
{
    /// <summary>When it was called, as <see cref="TimeProvider.GetTimestamp"/> has it.</summary>
    long BegunAt { get; }

    /// <summary>Whether nobody waits any more.</summary>
    bool IsAnswered { get; }

    /// <summary>Answers it, unless it is answered.</summary>
    void Fail(AppendFailure failure, string message, Exception? inner);
}

/// <summary>One record.</summary>
internal sealed class KafkaAppend(long begunAt) : IKafkaAppend, IValueTaskSource<long>
{
    // The client's thread, which brings all acknowledgements, must not run the caller's code.
    private ManualResetValueTaskSourceCore<long> _answer = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;
    private int _isAnswered;

    public long BegunAt => begunAt;

    public bool IsAnswered => Volatile.Read(ref _isAnswered) != 0;

    /// <summary>The answer to await, once.</summary>
    public ValueTask<long> Answer => new(this, _answer.Version);

    /// <summary>Lets the caller stop waiting. Called once, before the answer is awaited.</summary>
    public void WaitUntil(CancellationToken cancel) => _registration = cancel.UnsafeRegister(
        static (append, token) => ((KafkaAppend)append!).Abandon(token), this);

    public void Deliver(DeliveryReport<byte[]?, byte[]> report)
    {
        if (KafkaFailure.Of(report.Error, report.Status) is { } failure)
            Fail(failure, KafkaFailure.Message, new KafkaException(report.Error));
        else if (TryAnswer()) _answer.SetResult(report.Offset.Value);
    }

    public void Fail(AppendFailure failure, string message, Exception? inner)
    {
        if (TryAnswer()) _answer.SetException(new AppendFailedException(failure, message, inner));
    }

    public ValueTaskSourceStatus GetStatus(short token) => _answer.GetStatus(token);

    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);

    public long GetResult(short token)
    {
        _registration.Dispose();
        return _answer.GetResult(token);
    }

    private void Abandon(CancellationToken token)
    {
        if (TryAnswer()) _answer.SetException(new OperationCanceledException(token));
    }

    private bool TryAnswer() => Interlocked.Exchange(ref _isAnswered, 1) == 0;
}

/// <summary>Several records of one call. Their acknowledgements come one by one, in order.</summary>
internal sealed class KafkaAppends(int count, long begunAt) : IKafkaAppend
{
    private readonly TaskCompletionSource<long[]> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long[] _offsets = new long[count];
    private int _confirmedCount;

    public long BegunAt => begunAt;

    public bool IsAnswered => _answer.Task.IsCompleted;

    public Task<long[]> Answer => _answer.Task;

    public void Deliver(int index, DeliveryReport<byte[]?, byte[]> report)
    {
        if (KafkaFailure.Of(report.Error, report.Status) is { } failure)
        {
            Fail(failure, KafkaFailure.Message, new KafkaException(report.Error));
            return;
        }

        _offsets[index] = report.Offset.Value;
        if (Interlocked.Increment(ref _confirmedCount) == _offsets.Length) _answer.TrySetResult(_offsets);
    }

    public void Fail(AppendFailure failure, string message, Exception? inner)
    {
        // The earlier ones are in the log, so of the call as a whole it can no longer be said that nothing is.
        var ofAll = Volatile.Read(ref _confirmedCount) == 0 ? failure : AppendFailure.Unknown;
        _answer.TrySetException(new AppendFailedException(ofAll, message, inner));
    }
}

/// <summary>What the client's word on a record means.</summary>
internal static class KafkaFailure
{
    public const string Message = "Kafka did not confirm the record.";

    /// <returns>Null when the record is acknowledged.</returns>
    public static AppendFailure? Of(Error error, PersistenceStatus status) => (error.IsError, status) switch
    {
        (false, _) => null,
        // The client keeps "possibly" once any attempt may have reached a broker, so this is the word to go by; the
        // error's code only says why the last attempt failed.
        (true, PersistenceStatus.NotPersisted) => AppendFailure.NotPersisted,
        (true, _) => AppendFailure.Unknown,
    };
}
