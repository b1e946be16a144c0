using System.Diagnostics;
using Testing;

namespace VotingTests;

/// <summary>What two processes do when the Redis between them fails: nobody is kept waiting or refused.</summary>
public sealed class RedisOutageTests : IAsyncLifetime
{
    // Above the product's own, for a busy machine.
    private static readonly TimeSpan CallTimeout = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly string _prefix = RedisProcess.NewPrefix();
    private RedisServer _server = null!;
    private TcpProxy _proxy = null!;
    private RedisProcess _first = null!;
    private RedisProcess _second = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync(Cancel);
        _proxy = new(_server.Port);
        _first = await RedisProcess.StartAsync($"127.0.0.1:{_proxy.Port}", _prefix, CallTimeout);
        _second = await RedisProcess.StartAsync(_server.ConnectionString, _prefix);
        await _first.UntilAsync(answers: true);
        await _second.UntilAsync(answers: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        await _proxy.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_server_that_is_silent_is_waited_for_once_and_then_by_nobody()
    {
        _proxy.Hold();
        var began = Stopwatch.GetTimestamp();
        var all = ReservationSamples.Some(200);
        var met = await Task.WhenAll(all.Select(one => _first.Reservations.ReserveAsync(one, Cancel).AsTask()));

        Assert.All(met, Assert.Null);
        Assert.InRange(Stopwatch.GetElapsedTime(began), CallTimeout, Patience);
        Assert.True(_proxy.HeldBytes > 0, "Nothing was on its way to the server.");
        Assert.False(_first.Link.Answers);
        // From here on a call costs nothing: two thousand would take minutes if each waited.
        began = Stopwatch.GetTimestamp();
        foreach (var one in ReservationSamples.Some(2_000))
            Assert.Null(await _first.Reservations.ReserveAsync(one, Cancel));
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, Patience);

        _proxy.Release();
        await _first.UntilAsync(answers: true);
        Assert.Null(await _first.Reservations.ReserveAsync(ReservationSamples.Some(), Cancel));
    }

    [Fact]
    public async Task In_an_outage_a_process_still_orders_its_own_races()
    {
        var before = ReservationSamples.Some();
        Assert.Null(await _first.Reservations.ReserveAsync(before, Cancel));
        await _server.KillAsync();

        // Taken before the outage, asked for in it.
        var there = await _first.Reservations.ReserveAsync(ReservationSamples.Another(before), Cancel);
        Assert.Equal((before, false), (there!.Value.Reservation, there.Value.Appended));
        var place = ReservationSamples.Some();
        var all = Enumerable.Range(0, 64).Select(_ => ReservationSamples.Another(place)).ToArray();
        var met = await Task.WhenAll(all.Select(one => Task.Run(async () =>
            await _first.Reservations.ReserveAsync(one, Cancel))));
        var winner = Assert.Single(all.Where((_, i) => met[i] is null));
        Assert.True(await _first.Reservations.JoinAsync(winner, Cancel));
        await _first.Reservations.AppendedAsync(winner, Cancel);
        var repeat = await _first.Reservations.ReserveAsync(all[0], Cancel);
        Assert.Equal((winner, true), (repeat!.Value.Reservation, repeat.Value.Appended));

        await _server.RestartAsync(Cancel);
        await _first.UntilAsync(answers: true);
        await _second.UntilAsync(answers: true);
        // Back, and empty: what this process knows to be in the log it goes on saying, and others can take the place.
        Assert.Equal(winner, (await _first.Reservations.ReserveAsync(all[1], Cancel))!.Value.Reservation);
        Assert.Null(await _second.Reservations.ReserveAsync(ReservationSamples.Some(), Cancel));
        Assert.Equal("+PONG", await _server.CommandAsync("PING", Cancel));
    }

    [Fact]
    public async Task A_server_that_was_emptied_fills_again()
    {
        var (pending, appended) = (ReservationSamples.Some(), ReservationSamples.Some());
        foreach (var one in new[] { pending, appended })
            Assert.Null(await _first.Reservations.ReserveAsync(one, Cancel));
        await _first.Reservations.AppendedAsync(appended, Cancel);
        await UntilKeysAsync(2);

        Assert.Equal("+OK", await _server.CommandAsync("FLUSHALL", Cancel));
        Assert.Equal("+OK", await _server.CommandAsync("SCRIPT FLUSH", Cancel));

        // The process that holds them still orders its own.
        foreach (var (one, isAppended) in new[] { (pending, false), (appended, true) })
        {
            var there = await _first.Reservations.ReserveAsync(ReservationSamples.Another(one), Cancel);
            Assert.Equal((one, isAppended), (there!.Value.Reservation, there.Value.Appended));
        }

        // The other one knows nothing, and the row has to answer; whoever is acknowledged says so to all.
        var other = ReservationSamples.Another(pending);
        Assert.Null(await _second.Reservations.ReserveAsync(other, Cancel));
        await _second.Reservations.AppendedAsync(other, Cancel);
        await UntilKeysAsync(1);
        var seen = await _first.Reservations.ReserveAsync(pending, Cancel);
        Assert.Equal((other, true), (seen!.Value.Reservation, seen.Value.Appended));
    }

    [Fact]
    public async Task What_was_left_behind_in_an_emptied_server_can_be_taken_in_two_steps()
    {
        var left = ReservationSamples.Some();
        Assert.Null(await _first.Reservations.ReserveAsync(left, Cancel));
        Assert.Equal("+OK", await _server.CommandAsync("FLUSHALL", Cancel));
        var wanted = ReservationSamples.Another(left);

        var found = (await _first.Reservations.ReserveAsync(wanted, Cancel))!.Value.Reservation;
        Assert.False(await _first.Reservations.TakeOverAsync(found, wanted, Cancel));
        Assert.Null(await _first.Reservations.ReserveAsync(wanted, Cancel));

        Assert.Equal(wanted, (await _second.Reservations.ReserveAsync(left, Cancel))!.Value.Reservation);
    }

    [Fact]
    public async Task A_connection_that_is_reset_with_calls_on_it_is_no_error()
    {
        _proxy.Hold();
        var calls = ReservationSamples.Some(50)
            .Select(one => _first.Reservations.ReserveAsync(one, Cancel).AsTask()).ToArray();
        await UntilAsync(() => _proxy.HeldBytes > 0);
        _proxy.Reset();

        Assert.All(await Task.WhenAll(calls), Assert.Null);
        _proxy.Release();
        await _first.UntilAsync(answers: true);
        var mine = ReservationSamples.Some();
        Assert.Null(await _first.Reservations.ReserveAsync(mine, Cancel));
        Assert.NotNull(await _second.Reservations.ReserveAsync(ReservationSamples.Another(mine), Cancel));
    }

    [Fact]
    public async Task What_was_done_late_is_found_and_can_be_joined()
    {
        _proxy.Hold();
        var mine = ReservationSamples.Some();
        Assert.Null(await _first.Reservations.ReserveAsync(mine, Cancel));
        await _first.Reservations.AppendedAsync(mine, Cancel);
        _proxy.Release();

        // The call that nobody waits for any more takes the place, and no word came that the ballot is in.
        var same = ReservationSamples.Another(mine);
        await UntilAsync(async () => await _server.CommandAsync("DBSIZE", Cancel) == ":1");
        var there = await _second.Reservations.ReserveAsync(same, Cancel);
        Assert.Equal((mine, false), (there!.Value.Reservation, there.Value.Appended));
        Assert.True(await _second.Reservations.JoinAsync(there.Value.Reservation, Cancel));
        await _second.Reservations.AppendedAsync(there.Value.Reservation, Cancel);
        var own = await _first.Reservations.ReserveAsync(same, Cancel);
        Assert.Equal((mine, true), (own!.Value.Reservation, own.Value.Appended));
    }

    [Fact]
    public async Task A_full_server_refuses_and_nobody_waits_for_it()
    {
        Assert.Equal("+OK", await _server.CommandAsync("CONFIG SET maxmemory 1", Cancel));
        var all = ReservationSamples.Some(500);
        var began = Stopwatch.GetTimestamp();

        foreach (var one in all) Assert.Null(await _first.Reservations.ReserveAsync(one, Cancel));

        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, Patience);
        Assert.True(_first.Link.Answers);
        var there = await _first.Reservations.ReserveAsync(ReservationSamples.Another(all[7]), Cancel);
        Assert.Equal(all[7], there!.Value.Reservation);
    }

    [Fact]
    public async Task A_process_that_starts_without_the_server_finds_it_when_it_comes()
    {
        await _server.KillAsync();
        await using var third = await RedisProcess.StartAsync(_server.ConnectionString, _prefix, CallTimeout);
        Assert.False(third.Link.Answers);
        Assert.Null(await third.Reservations.ReserveAsync(ReservationSamples.Some(), Cancel));

        await _server.RestartAsync(Cancel);
        await third.UntilAsync(answers: true);
    }

    private Task UntilKeysAsync(int count) =>
        UntilAsync(async () => await _server.CommandAsync("DBSIZE", Cancel) == $":{count}");

    private static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (!await condition()) await Task.Delay(5, deadline.Token);
    }
}
