using System.Collections.Concurrent;

namespace Platform;

/// <summary>What a limit found.</summary>
/// <param name="Allowed">Whether the request may go on.</param>
/// <param name="Remaining">Requests that could follow at once.</param>
/// <param name="ResetAfter">Until the whole burst is there again; for a refused request,
/// until the next one is allowed.</param>
/// <param name="Untold">Requests of this caller, this one included, that other processes are to be told of now.</param>
internal readonly record struct LimitDecision(bool Allowed, int Remaining, TimeSpan ResetAfter, int Untold = 0);

/// <summary>
/// A limit of requests for each of many callers, by the generic cell rate algorithm: one instant a
/// caller says all. Safe for use by many threads.
/// </summary>
/// <param name="name">What a caller is called in headers and answers.</param>
/// <param name="perSecond">Requests a second that a caller may keep up for ever.</param>
/// <param name="burst">Requests that may come at once after a pause.</param>
/// <param name="clock">Measured by its timestamps.</param>
/// <param name="callerCountMax">
/// Most callers that are remembered, some 100 bytes each; beyond, those go that have been silent longest.
/// </param>
internal sealed class RateLimit(
    string name, int perSecond, int burst, TimeProvider clock, int callerCountMax = 500_000)
{
    // Other processes are told of a caller each time it has used so much of its burst here: most callers never do.
    private const int TellingsABurst = 10;

    private readonly long _interval = clock.TimestampFrequency / perSecond;
    private readonly long _tolerance = clock.TimestampFrequency / perSecond * burst;
    private readonly int _untoldMax = Math.Max(1, burst / TellingsABurst);
    private readonly Lock _turning = new();

    // Callers move from the earlier generation to the present one when they come again: nothing is ever swept.
    private volatile Generation _present = new();
    private volatile Generation _earlier = new();

    public string Name { get; } = name;

    /// <summary>
    /// What it allows, as the header <c>RateLimit-Policy</c> says it: so many requests in so many seconds.
    /// </summary>
    public (int Quota, int WindowSeconds) Policy { get; } = (burst, Math.Max(1, burst / perSecond));

    /// <summary>How long one request takes to be forgiven.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(1d / perSecond);

    /// <summary>How long the whole burst takes to be forgiven.</summary>
    public TimeSpan Tolerance { get; } = TimeSpan.FromSeconds((double)burst / perSecond);

    /// <summary>Callers that are remembered now.</summary>
    public int CallerCount => _present.Count + _earlier.Count;

    /// <param name="caller">Who asks.</param>
    /// <param name="tells">Whether there is anybody to be told of requests.</param>
    public LimitDecision Take(UInt128 caller, bool tells = false)
    {
        var now = clock.GetTimestamp();
        var state = Find(caller);
        long seen, next;
        do
        {
            seen = Volatile.Read(ref state.Arrival);
            next = Math.Max(seen, now) + _interval;
            if (next - now > _tolerance) return Decide(next - now);
        }
        while (Interlocked.CompareExchange(ref state.Arrival, next, seen) != seen);

        if (!tells) return Decide(next - now);
        // What was used before the whole burst came back matters to nobody.
        if (now - seen > _tolerance) Volatile.Write(ref state.Untold, 0);
        return Interlocked.Increment(ref state.Untold) < _untoldMax
            ? Decide(next - now)
            : Decide(next - now) with { Untold = Interlocked.Exchange(ref state.Untold, 0) };
    }

    /// <summary>Goes by what all processes together have let through.</summary>
    /// <param name="caller">Who asked.</param>
    /// <param name="ahead">How long everything of it takes to be forgiven.</param>
    /// <returns>What is to be done with the request that was told of.</returns>
    public LimitDecision Learn(UInt128 caller, TimeSpan ahead)
    {
        var now = clock.GetTimestamp();
        var next = now + (long)(ahead.TotalSeconds * clock.TimestampFrequency);
        var state = Find(caller);
        long seen;
        do
        {
            seen = Volatile.Read(ref state.Arrival);
        }
        while (seen < next && Interlocked.CompareExchange(ref state.Arrival, next, seen) != seen);

        return Decide(next - now);
    }

    private LimitDecision Decide(long ahead) => ahead > _tolerance
        ? new(false, 0, Span(ahead - _tolerance))
        : new(true, (int)((_tolerance - ahead) / _interval), Span(ahead));

    private Caller Find(UInt128 caller)
    {
        var present = _present;
        if (present.Callers.TryGetValue(caller, out var found)) return found;
        var state = _earlier.Callers.TryGetValue(caller, out var earlier) ? earlier : new Caller();
        found = present.Callers.GetOrAdd(caller, state);
        // The dictionary's own count takes all its locks.
        if (ReferenceEquals(found, state) && Interlocked.Increment(ref present.Count) >= callerCountMax / 2)
            Turn(present);
        return found;
    }

    private void Turn(Generation full)
    {
        lock (_turning)
        {
            if (_present != full) return;
            _earlier = full;
            _present = new();
        }
    }

    private TimeSpan Span(long ticks) => TimeSpan.FromSeconds((double)ticks / clock.TimestampFrequency);

    private sealed class Caller
    {
        public long Arrival;
        public int Untold;
    }

    private sealed class Generation
    {
        public readonly ConcurrentDictionary<UInt128, Caller> Callers = new();
        public int Count;
    }
}
