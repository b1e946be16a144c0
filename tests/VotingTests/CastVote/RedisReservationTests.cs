using Testing;
using Voting;

namespace VotingTests;

/// <summary>Two processes with one Redis, which does not fail.</summary>
public sealed class RedisReservationTests : ReservationConformanceTests, IAsyncLifetime
{
    private RedisProcess _first = null!;
    private RedisProcess _second = null!;

    public async ValueTask InitializeAsync()
    {
        var (server, prefix) = (await RedisServer.SharedAsync(), RedisProcess.NewPrefix());
        _first = await RedisProcess.StartAsync(server, prefix, ownCountMax: 10);
        _second = await RedisProcess.StartAsync(server, prefix);
        await _first.UntilAsync(answers: true);
        await _second.UntilAsync(answers: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_a_process_no_longer_keeps_itself_Redis_still_does()
    {
        var all = Enumerable.Range(0, 50).Select(_ => Some()).ToArray();
        foreach (var one in all) Assert.Null(await _first.Reservations.ReserveAsync(one, Cancel));
        foreach (var one in all) await _first.Reservations.AppendedAsync(one, Cancel);

        Assert.Null(await _first.Own.FindAsync(all[0].Survey, all[0].VoterKey, Cancel));
        foreach (var one in all)
            Assert.Equal((one, true), Shown(await _first.Reservations.ReserveAsync(Another(one), Cancel)));
    }

    [Fact]
    public async Task A_session_that_is_finished_again_elsewhere_meets_itself()
    {
        var frozen = Some();
        Assert.Null(await _first.Reservations.ReserveAsync(frozen, Cancel));

        Assert.Equal((frozen, false), Shown(await _second.Reservations.ReserveAsync(frozen, Cancel)));
        Assert.True(await _second.Reservations.JoinAsync(frozen, Cancel));
        await _second.Reservations.AppendedAsync(frozen, Cancel);
        await HearsAsync(_first.Reservations, frozen);

        Assert.Equal((frozen, true), Shown(await _first.Reservations.ReserveAsync(frozen, Cancel)));
    }

    private protected override Task<(IReservations First, IReservations Second)> ProcessesAsync() =>
        Task.FromResult<(IReservations, IReservations)>((_first.Reservations, _second.Reservations));
}
