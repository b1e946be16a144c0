using Voting;

namespace VotingTests;

/// <summary>
/// What casting relies on, wherever reservations are kept. Two processes are two where they share their reservations,
/// and one that is asked twice where they do not.
/// </summary>
public abstract class ReservationConformanceTests
{
    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_place_is_taken_once_and_the_second_is_shown_who_has_it()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, other) = Two();

        Assert.Null(await first.ReserveAsync(mine, Cancel));
        var there = await second.ReserveAsync(other, Cancel);

        Assert.Equal((mine, false), (there!.Value.Reservation, there.Value.Appended));
        Assert.InRange(there.Value.Age, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.Equal(mine, (await second.FindAsync(mine.Survey, mine.VoterKey, Cancel))!.Value.Reservation);
        Assert.Equal(mine, (await first.ReserveAsync(other, Cancel))!.Value.Reservation);
    }

    [Fact]
    public async Task Every_member_comes_back_as_it_was()
    {
        var (first, second) = await ProcessesAsync();
        var plain = Some();
        var odd = Some() with
        {
            Survey = int.MaxValue,
            Idempotency = new(UInt128.MaxValue),
            AcceptedAt = DateTimeOffset.UnixEpoch,
            Receipt = [],
        };
        foreach (var reservation in new[] { plain, odd })
        {
            Assert.Null(await first.ReserveAsync(reservation, Cancel));
            var found = await second.FindAsync(reservation.Survey, reservation.VoterKey, Cancel);
            Assert.Equal(reservation, found!.Value.Reservation);
        }
    }

    [Fact]
    public async Task Of_64_that_race_one_gets_the_place()
    {
        var (first, second) = await ProcessesAsync();
        for (var round = 0; round < 20; round++)
        {
            var place = Some();
            var all = Enumerable.Range(0, 64).Select(_ => Another(place)).ToArray();
            var answers = await Task.WhenAll(all.Select((wanted, i) => Task.Run(async () =>
                await (i % 2 == 0 ? first : second).ReserveAsync(wanted, Cancel), Cancel)));

            var winner = Assert.Single(all.Where((_, i) => answers[i] is null));
            Assert.Equal(winner, (await first.FindAsync(place.Survey, place.VoterKey, Cancel))!.Value.Reservation);
            Assert.Equal(winner, (await second.FindAsync(place.Survey, place.VoterKey, Cancel))!.Value.Reservation);
        }
    }

    [Fact]
    public async Task Places_of_other_voters_and_surveys_are_other_places()
    {
        var (first, second) = await ProcessesAsync();
        var mine = Some();

        Assert.Null(await first.ReserveAsync(mine, Cancel));
        Assert.Null(await second.ReserveAsync(mine with { Survey = mine.Survey + 1 }, Cancel));
        Assert.Null(await second.ReserveAsync(Some() with { Survey = mine.Survey }, Cancel));
        Assert.Null(await first.FindAsync(mine.Survey, new(mine.VoterKey.Value + 1), Cancel));
    }

    [Fact]
    public async Task What_is_appended_is_said_so_to_all_and_stays()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, other) = Two();
        await first.ReserveAsync(mine, Cancel);

        await first.AppendedAsync(mine, Cancel);
        Assert.Equal((mine, true), Shown(await first.FindAsync(mine.Survey, mine.VoterKey, Cancel)));
        await first.ReleaseAsync(mine, Cancel);
        await HearsAsync(second, mine);

        Assert.Equal((mine, true), Shown(await second.ReserveAsync(other, Cancel)));
        Assert.False(await second.TakeOverAsync(mine, other, Cancel));
        Assert.True(await second.JoinAsync(mine, Cancel));
        Assert.Equal((mine, true), Shown(await first.FindAsync(mine.Survey, mine.VoterKey, Cancel)));
    }

    [Fact]
    public async Task What_the_log_holds_replaces_what_was_thought_to_be_on_its_way()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, row) = Two();
        await first.ReserveAsync(mine, Cancel);

        await first.AppendedAsync(row, Cancel);
        await HearsAsync(second, row);

        Assert.Equal((row, true), Shown(await second.ReserveAsync(mine, Cancel)));
        Assert.Equal((row, true), Shown(await first.ReserveAsync(mine, Cancel)));
    }

    [Fact]
    public async Task A_place_that_is_given_up_is_free()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, other) = Two();
        await first.ReserveAsync(mine, Cancel);

        await second.ReleaseAsync(other, Cancel);
        Assert.Equal(mine, (await second.ReserveAsync(other, Cancel))!.Value.Reservation);
        await first.ReleaseAsync(mine, Cancel);

        Assert.Null(await first.FindAsync(mine.Survey, mine.VoterKey, Cancel));
        Assert.Null(await second.ReserveAsync(other, Cancel));
        await first.ReleaseAsync(mine, Cancel);
        Assert.Equal(other, (await first.ReserveAsync(mine, Cancel))!.Value.Reservation);
    }

    [Fact]
    public async Task A_place_that_was_joined_is_no_longer_the_owners_to_give_up()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, other) = Two();
        await first.ReserveAsync(mine, Cancel);
        var found = (await second.ReserveAsync(other, Cancel))!.Value.Reservation;

        Assert.True(await second.JoinAsync(found, Cancel));
        Assert.True(await second.JoinAsync(found, Cancel));
        await first.ReleaseAsync(mine, Cancel);

        Assert.Equal((mine, false), Shown(await first.ReserveAsync(other, Cancel)));
        Assert.Equal((mine, false), Shown(await second.FindAsync(mine.Survey, mine.VoterKey, Cancel)));
        await second.AppendedAsync(found, Cancel);
        await HearsAsync(first, found);
        Assert.Equal((mine, true), Shown(await first.ReserveAsync(other, Cancel)));
    }

    [Fact]
    public async Task Who_joins_a_place_that_has_another_now_is_told_so()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, other) = Two();
        Assert.False(await first.JoinAsync(mine, Cancel));
        await first.ReserveAsync(mine, Cancel);

        Assert.False(await second.JoinAsync(other, Cancel));
        Assert.True(await first.TakeOverAsync(mine, other, Cancel));
        Assert.False(await second.JoinAsync(mine, Cancel));
    }

    [Fact]
    public async Task Of_many_that_take_a_place_over_one_has_it()
    {
        var (first, second) = await ProcessesAsync();
        var left = Some();
        await first.ReserveAsync(left, Cancel);
        var found = (await second.FindAsync(left.Survey, left.VoterKey, Cancel))!.Value.Reservation;
        var all = Enumerable.Range(0, 32).Select(_ => Another(left)).ToArray();

        var taken = await Task.WhenAll(all.Select((wanted, i) => Task.Run(async () =>
            await (i % 2 == 0 ? first : second).TakeOverAsync(found, wanted, Cancel))));

        var winner = Assert.Single(all.Where((_, i) => taken[i]));
        Assert.Equal((winner, false), Shown(await first.FindAsync(left.Survey, left.VoterKey, Cancel)));
        Assert.Equal((winner, false), Shown(await second.FindAsync(left.Survey, left.VoterKey, Cancel)));
        // The one who was taken from no longer has it to give up.
        await first.ReleaseAsync(left, Cancel);
        Assert.Equal(winner, (await first.ReserveAsync(left, Cancel))!.Value.Reservation);
    }

    [Fact]
    public async Task A_place_ages_until_it_is_taken_over_or_joined()
    {
        var (first, second) = await ProcessesAsync();
        var (mine, other) = Two();
        await first.ReserveAsync(mine, Cancel);
        var old = await AgeAsync(second, mine, TimeSpan.FromMilliseconds(200));

        Assert.True(await second.TakeOverAsync(mine, other, Cancel));
        var taken = await first.FindAsync(mine.Survey, mine.VoterKey, Cancel);
        Assert.Equal(other, taken!.Value.Reservation);
        Assert.True(taken.Value.Age < old, $"{taken.Value.Age} after {old}");

        old = await AgeAsync(first, other, TimeSpan.FromMilliseconds(200));
        Assert.True(await first.JoinAsync(other, Cancel));
        var joined = await second.FindAsync(mine.Survey, mine.VoterKey, Cancel);
        Assert.True(joined!.Value.Age < old, $"{joined.Value.Age} after {old}");
    }

    [Fact]
    public async Task A_release_and_a_join_at_once_leave_the_place_to_one_of_them()
    {
        var (first, second) = await ProcessesAsync();
        for (var round = 0; round < 50; round++)
        {
            var mine = Some();
            await first.ReserveAsync(mine, Cancel);
            var found = (await second.FindAsync(mine.Survey, mine.VoterKey, Cancel))!.Value.Reservation;

            var release = Task.Run(async () => await first.ReleaseAsync(mine, Cancel), Cancel);
            var join = Task.Run(async () => await second.JoinAsync(found, Cancel), Cancel);
            await release;

            var there = await first.FindAsync(mine.Survey, mine.VoterKey, Cancel);
            Assert.Equal(await join, there is not null);
        }
    }

    /// <summary>Two that share their reservations, or the same one twice.</summary>
    private protected abstract Task<(IReservations First, IReservations Second)> ProcessesAsync();

    private protected static (Reservation Reservation, bool Appended) Shown(HeldReservation? there) =>
        (there!.Value.Reservation, there.Value.Appended);

    private protected static (Reservation Mine, Reservation Other) Two()
    {
        var mine = Some();
        return (mine, Another(mine));
    }

    private protected static Reservation Some() => ReservationSamples.Some();

    private protected static Reservation Another(Reservation place) => ReservationSamples.Another(place);

    /// <summary>Waits until another process has heard that the ballot is in the log.</summary>
    private protected static async Task HearsAsync(IReservations other, Reservation appended)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(30));
        while (Shown(await other.FindAsync(appended.Survey, appended.VoterKey, Cancel)) != (appended, true))
            await Task.Delay(1, deadline.Token);
    }

    private static async Task<TimeSpan> AgeAsync(IReservations where, Reservation place, TimeSpan least)
    {
        while (true)
        {
            var there = await where.FindAsync(place.Survey, place.VoterKey, Cancel);
            if (there!.Value.Age >= least) return there.Value.Age;
            await Task.Delay(10, Cancel);
        }
    }
}

public sealed class InProcessReservationTests : ReservationConformanceTests
{
    [Fact]
    public async Task The_oldest_go_when_there_are_too_many()
    {
        var reservations = new InProcessReservations(countMax: 3, TimeProvider.System);
        var all = Enumerable.Range(0, 5).Select(_ => Some()).ToArray();
        foreach (var one in all) Assert.Null(await reservations.ReserveAsync(one, Cancel));

        Assert.Null(await reservations.FindAsync(all[0].Survey, all[0].VoterKey, Cancel));
        Assert.Null(await reservations.FindAsync(all[1].Survey, all[1].VoterKey, Cancel));
        foreach (var kept in all[2..])
            Assert.Equal((kept, false), Shown(await reservations.FindAsync(kept.Survey, kept.VoterKey, Cancel)));

        // The row answers for what was forgotten; the place stays free.
        await reservations.AppendedAsync(all[0], Cancel);
        Assert.Null(await reservations.FindAsync(all[0].Survey, all[0].VoterKey, Cancel));
    }

    private protected override Task<(IReservations First, IReservations Second)> ProcessesAsync()
    {
        IReservations both = new InProcessReservations(1_000, TimeProvider.System);
        return Task.FromResult((both, both));
    }
}
