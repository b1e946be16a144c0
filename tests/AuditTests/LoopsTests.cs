using Audit;
using Microsoft.Extensions.Time.Testing;

namespace AuditTests;

public sealed class LoopsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_loop_that_fails_ends_the_others_and_is_seen()
    {
        var told = false;

        await Assert.ThrowsAsync<InvalidCastException>(() => Loops.RunAsync(
            Cancel,
            async stop =>
            {
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                told = true;
            },
            async _ =>
            {
                await Task.Yield();
                throw new InvalidCastException();
            }));

        Assert.True(told);
    }

    [Fact]
    public async Task A_loop_that_just_returns_ends_the_others() =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Loops.RunAsync(
            Cancel, stop => Task.Delay(Timeout.Infinite, stop), _ => Task.CompletedTask));

    [Fact]
    public async Task Rounds_outlive_an_outage_and_end_by_anything_else()
    {
        var (clock, rounds, outages) = (new FakeTimeProvider(), 0, 0);

        var repeating = Loops.RepeatAsync(
            _ => ++rounds switch
            {
                1 => throw new TimeoutException(),
                2 => Task.FromResult(TimeSpan.Zero),
                _ => throw new InvalidCastException(),
            },
            _ => outages++, clock, Cancel);
        Assert.Equal((1, 1), (rounds, outages));
        clock.Advance(Loops.FailurePause);

        await Assert.ThrowsAsync<InvalidCastException>(() => repeating);
        Assert.Equal((3, 1), (rounds, outages));
    }
}
