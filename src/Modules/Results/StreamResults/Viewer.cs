using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections.Features;

namespace Results;

/// <summary>
/// One open stream, as those see it who have something for it: it can be woken, and it is looked after. Waiting
/// allocates nothing and needs no timer, however many there are.
/// </summary>
internal sealed class Viewer(
    IConnectionLifetimeFeature connection, UInt128 caller, TimeSpan ageMax, ResultsOptions limits, TimeProvider clock,
    ResultsMetrics metrics)
    : IValueTaskSource, IThreadPoolWorkItem
{
    private const int Busy = 0, Waiting = 1, Woken = 2;

    private readonly long _openedAt = clock.GetTimestamp();

    private ManualResetValueTaskSourceCore<bool> _wait;
    private int _state = Busy;
    private bool _writing;
    private bool _dropped;
    private long _since = clock.GetTimestamp();

    /// <summary>The board that it has joined; null while it has not.</summary>
    public Board? Board { get; set; }

    /// <summary>Where it stands in its board. The board's alone.</summary>
    public int Place { get; set; }

    /// <summary>Whose place it takes, as <see cref="Platform.OpenByAddress"/> knows it.</summary>
    public UInt128 Caller => caller;

    /// <summary>How long it has been open.</summary>
    public TimeSpan Age => clock.GetElapsedTime(_openedAt);

    /// <summary>Whether it has been open for so long that its reader shall connect again.</summary>
    public bool IsDueForRotation => Age >= ageMax;

    /// <summary>Whether so little has been sent lately that the reader might take the connection for dead.</summary>
    public bool IsDueForHeartbeat => clock.GetElapsedTime(Volatile.Read(ref _since)) >= limits.HeartbeatInterval;

    /// <summary>Ends the wait that is going on, or the next one at once. Any thread; returns at once.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _state, Woken) != Waiting) return;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Waits until it is woken. Only the stream's own loop waits, one wait at a time.</summary>
    public ValueTask WaitAsync()
    {
        _wait.Reset();
        return Interlocked.CompareExchange(ref _state, Waiting, Busy) == Busy
            ? new(this, _wait.Version)
            : Awake();

        ValueTask Awake()
        {
            Volatile.Write(ref _state, Busy);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Says that a write has begun, which may wait for the reader.</summary>
    public void BeginWrite()
    {
        Volatile.Write(ref _since, clock.GetTimestamp());
        Volatile.Write(ref _writing, true);
    }

    /// <summary>Says that the write has ended.</summary>
    public void EndWrite()
    {
        Volatile.Write(ref _since, clock.GetTimestamp());
        Volatile.Write(ref _writing, false);
    }

    /// <summary>
    /// Drops the connection when its reader does not read; wakes it when it is due for a heartbeat or for its end.
    /// </summary>
    public void LookAfter()
    {
        if (!Volatile.Read(ref _writing))
        {
            if (IsDueForHeartbeat || IsDueForRotation) Wake();
            return;
        }

        if (_dropped || clock.GetElapsedTime(Volatile.Read(ref _since)) < limits.WriteTimeout) return;
        _dropped = true;
        metrics.ReadersDropped.Add(1);
        connection.Abort();
    }

    /// <summary>Wakes it to end, and does not wait for a reader that is behind.</summary>
    public void End()
    {
        if (Volatile.Read(ref _writing)) connection.Abort();
        Wake();
    }

    void IThreadPoolWorkItem.Execute() => _wait.SetResult(true);

    void IValueTaskSource.GetResult(short token)
    {
        _wait.GetResult(token);
        // From here on the loop looks at the newest frame, so whoever wakes it later has something newer.
        Volatile.Write(ref _state, Busy);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);
}
