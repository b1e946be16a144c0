using Microsoft.Extensions.Time.Testing;
using Platform;

namespace PlatformTests;

public sealed class RateLimitTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_burst_passes_and_then_so_many_a_second()
    {
        var limit = new RateLimit("voter", perSecond: 10, burst: 5, _clock);
        for (var left = 4; left >= 0; left--)
            Assert.Equal((true, left), (limit.Take(1) is var passed && passed.Allowed, passed.Remaining));

        var refused = limit.Take(1);
        Assert.Equal((false, 0, TimeSpan.FromMilliseconds(100)),
            (refused.Allowed, refused.Remaining, refused.ResetAfter));
        Assert.True(limit.Take(2).Allowed);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        Assert.True(limit.Take(1).Allowed);
        Assert.False(limit.Take(1).Allowed);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(4, limit.Take(1).Remaining);
    }

    [Fact]
    public async Task Many_threads_get_no_more_than_the_burst()
    {
        var limit = new RateLimit("voter", perSecond: 1, burst: 1_000, _clock);

        var passed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => Enumerable.Range(0, 500).Count(_ => limit.Take(7).Allowed), TestContext.Current.CancellationToken)));

        Assert.Equal(1_000, passed.Sum());
    }

    [Fact]
    public void However_many_callers_come_no_more_are_remembered_than_may_be_and_who_goes_on_is_not_forgotten()
    {
        var limit = new RateLimit("address", perSecond: 1, burst: 10, _clock, callerCountMax: 1_000);
        for (var i = 0; i < 10; i++) Assert.True(limit.Take(0).Allowed);
        for (var i = 1; i < 50_000; i++)
        {
            Assert.True(limit.Take((UInt128)i).Allowed);
            if (i % 100 == 0) Assert.False(limit.Take(0).Allowed);
            Assert.InRange(limit.CallerCount, 1, 1_000);
        }
    }

    [Fact]
    public void Others_are_told_each_time_a_tenth_of_the_burst_is_used()
    {
        var limit = new RateLimit("voter", perSecond: 10, burst: 50, _clock);

        var untold = Enumerable.Range(0, 50).Select(_ => limit.Take(1, tells: true).Untold).ToArray();

        Assert.Equal(50, untold.Sum());
        Assert.Equal(10, untold.Count(count => count == 5));
        Assert.Equal(0, limit.Take(1, tells: true).Untold);
        // What was used before the burst came back is of no interest.
        _clock.Advance(TimeSpan.FromMinutes(1));
        for (var i = 0; i < 4; i++) Assert.Equal(0, limit.Take(1, tells: true).Untold);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(0, limit.Take(1, tells: true).Untold);
    }

    [Fact]
    public void What_others_let_through_counts_here_and_never_makes_it_less()
    {
        var limit = new RateLimit("voter", perSecond: 10, burst: 50, _clock);
        limit.Take(1);

        Assert.Equal((true, 10), (limit.Learn(1, TimeSpan.FromSeconds(4)) is var told && told.Allowed, told.Remaining));
        Assert.Equal(9, limit.Take(1).Remaining);
        limit.Learn(1, TimeSpan.Zero);
        Assert.Equal(8, limit.Take(1).Remaining);
        Assert.False(limit.Learn(1, TimeSpan.FromSeconds(5.1)).Allowed);
        Assert.False(limit.Take(1).Allowed);
    }
}
