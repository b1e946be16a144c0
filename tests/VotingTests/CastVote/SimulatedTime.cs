namespace VotingTests;

/// <summary>
/// Time and threads of a simulated installation: everything runs on the caller's thread, in an order that follows from
/// the seed alone, and time passes only when nothing is left to run.
/// </summary>
internal sealed class SimulatedTime(int seed)
{
    private readonly PriorityQueue<Action, (long At, long Order)> _due = new();
    private readonly List<(SimulatedMachine? On, Action Run)> _ready = [];
    private readonly Random _random = new(seed);
    private long _order;

    /// <summary>Ticks since the beginning.</summary>
    public long Now { get; private set; }

    public int Draw(int min, int max) => _random.Next(min, max + 1);

    public bool Chance(int percent) => _random.Next(100) < percent;

    /// <summary>Something that the world does, on no machine in particular.</summary>
    public void At(long due, Action act) => _due.Enqueue(act, (Math.Max(due, Now), _order++));

    public void After(int milliseconds, Action act) => At(Now + milliseconds * TimeSpan.TicksPerMillisecond, act);

    public void Ready(SimulatedMachine? on, Action run) => _ready.Add((on, run));

    /// <summary>Runs everything that is due up to a moment.</summary>
    public void RunUntil(TimeSpan end)
    {
        while (true)
        {
            while (TakeReady() is var (on, run)) RunOn(on, run);
            if (!_due.TryPeek(out _, out var next) || next.At > end.Ticks) return;
            Now = next.At;
            RunOn(null, _due.Dequeue());
        }
    }

    /// <summary>A question to another machine: answered there at one moment, and heard of at a later one.</summary>
    public Task<T> Ask<T>(int latencyMax, Func<T> answer) =>
        AskAsync(latencyMax, () => new ValueTask<T>(answer()));

    /// <inheritdoc cref="Ask"/>
    /// <param name="latencyMax">Longest way there, and back, in milliseconds.</param>
    /// <param name="answerAsync">Completes at once.</param>
    public Task<T> AskAsync<T>(int latencyMax, Func<ValueTask<T>> answerAsync)
    {
        var heard = new TaskCompletionSource<T>();
        After(Draw(0, latencyMax), () => _ = AnswerAsync());
        return heard.Task;

        async Task AnswerAsync()
        {
            try
            {
                var said = await answerAsync();
                After(Draw(0, latencyMax), () => heard.TrySetResult(said));
            }
            catch (IOException e)
            {
                After(Draw(0, latencyMax), () => heard.TrySetException(e));
            }
        }
    }

    private static void RunOn(SynchronizationContext? on, Action run)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(on);
        try
        {
            run();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private (SimulatedMachine? On, Action Run)? TakeReady()
    {
        _ready.RemoveAll(one => one.On is { IsDead: true });
        var able = Enumerable.Range(0, _ready.Count).Where(i => _ready[i].On is not { IsPaused: true }).ToArray();
        if (able.Length == 0) return null;
        var chosen = able[_random.Next(able.Length)];
        var taken = _ready[chosen];
        _ready.RemoveAt(chosen);
        return taken;
    }
}

/// <summary>What a process runs on: it can be stopped, continued and lost, with everything that waits in it.</summary>
internal sealed class SimulatedMachine(SimulatedTime time) : SynchronizationContext
{
    public bool IsPaused { get; set; }

    public bool IsDead { get; set; }

    public override void Post(SendOrPostCallback d, object? state) => time.Ready(this, () => d(state));

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();

    public override SynchronizationContext CreateCopy() => this;
}

/// <summary>A machine's clock: its wall is wrong by <paramref name="skew"/>, its seconds are as long as any.</summary>
internal sealed class SimulatedClock(SimulatedTime time, TimeSpan skew) : TimeProvider
{
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => time.Now;

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero)
        + TimeSpan.FromTicks(time.Now) + skew;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(time, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(SimulatedTime time, TimerCallback callback, object? state) : ITimer
    {
        private int _set;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var mine = ++_set;
            if (dueTime < TimeSpan.Zero) return true;
            time.At(time.Now + dueTime.Ticks, () =>
            {
                if (mine == _set) callback(state);
            });
            return true;
        }

        public void Dispose() => _set++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
