using System.Collections.Concurrent;

namespace Platform;

/// <summary>What a limit found.</summary>
/// <param name="Allowed">Whether the request may go on.</param>
/// <param name="Remaining">Requests that could follow at once.</param>
/// <param name="ResetAfter">Until the whole burst is there again; for a refused request,
/// until the next one is allowed.</param>
internal readonly record struct LimitDecision(bool Allowed, int Remaining, TimeSpan ResetAfter);

/// <summary>
/// A limit of requests for each of many callers, by the generic cell rate algorithm: one instant a
/// caller says all. Safe for use by many threads.
/// </summary>
/// <param name="perSecond">Requests a second that a caller may keep up for ever.</param>
/// <param name="burst">Requests that may come at once after a pause.</param>
/// <param name="clock">Measured by its timestamps.</param>
internal sealed class RateLimit<TCaller>(int perSecond, int burst, TimeProvider clock)
    where TCaller : notnull
{
    /// <summary>
    /// Callers that are remembered before those with nothing left to remember are dropped: some 100 bytes each.
    /// </summary>
    private const int CallerCountMax = 1_000_000;

    private readonly ConcurrentDictionary<TCaller, long> _arrivals = new();
    private readonly long _interval = clock.TimestampFrequency / perSecond;
    private readonly long _tolerance = clock.TimestampFrequency / perSecond * burst;
    private int _sweeping;

    /// <summary>
    /// What it allows, as the header <c>RateLimit-Policy</c> says it: so many requests in so many seconds.
    /// </summary>
    public (int Quota, int WindowSeconds) Policy { get; } = (burst, Math.Max(1, burst / perSecond));

    public LimitDecision Take(TCaller caller)
    {
        var now = clock.GetTimestamp();
        if (_arrivals.Count > CallerCountMax) Sweep(now);
        while (true)
        {
            var known = _arrivals.TryGetValue(caller, out var stored);
            var arrival = Math.Max(stored, now);
            var next = arrival + _interval;
            if (next - now > _tolerance) return new(false, 0, Span(next - now - _tolerance));
            if (known ? _arrivals.TryUpdate(caller, next, stored) : _arrivals.TryAdd(caller, next))
                return new(true, (int)((_tolerance - (next - now)) / _interval), Span(next - now));
        }
    }

    // Whoever's instant has passed is as good as unknown.
    private void Sweep(long now)
    {
        if (Interlocked.Exchange(ref _sweeping, 1) == 1) return;
        foreach (var caller in _arrivals)
        {
            if (caller.Value <= now) _arrivals.TryRemove(caller);
        }

        Volatile.Write(ref _sweeping, 0);
    }

    private TimeSpan Span(long ticks) => TimeSpan.FromSeconds((double)ticks / clock.TimestampFrequency);
}
