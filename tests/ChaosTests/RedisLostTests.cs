using System.Collections.Concurrent;
using System.Globalization;
using Testing;

namespace ChaosTests;

/// <summary>Redis fails with ballots in flight: it was an optimisation, and nobody is the worse for it.</summary>
[Collection(SharingSite.Name)]
public sealed class RedisLostTests(RedisSite sharing) : IAsyncLifetime
{
    private const string AppendsOfVotes =
        "SELECT FROM platform.log_partitions WHERE topic = 'votes' FOR UPDATE";

    private static readonly (int, string)[] Known =
        [(200, ""), (202, ""), (409, "duplicate-vote"), (503, "outcome-unknown"), (503, "overloaded")];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Site Site => sharing.Site;

    public async ValueTask InitializeAsync() => await sharing.UntilAskedAsync(true);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("killed")]
    [InlineData("emptied")]
    public async Task With_hundreds_of_ballots_between_their_reservation_and_their_acknowledgement(string how)
    {
        var election = await Site.PublishAsync();
        var voters = await Site.VotersAsync(200);
        await Site.SettleAsync();
        Assert.Equal("+OK", await sharing.Redis.CommandAsync("FLUSHALL", Cancel));
        Task<Answer>[] casts, more;
        await using (await HeldLock.TakeAsync(Site.Database, AppendsOfVotes))
        {
            casts = [.. voters.Select((voter, i) => election.CastAsync(At(i), voter, 1 + i))];
            // Each has its place, and none is acknowledged: this is the moment.
            await Until.HoldsAsync("every voter's place is taken", async () => await PlacesAsync() == voters.Count);
            Assert.DoesNotContain(casts, cast => cast.IsCompleted);
            if (how == "killed") await sharing.Redis.KillAsync();
            else Assert.Equal("+OK", await sharing.Redis.CommandAsync("FLUSHALL", Cancel));

            // The same ballots at the process that knows nothing of them now, and other ballots at the one that does.
            more =
            [
                .. voters.Select((voter, i) => election.CastAsync(At(i + 1), voter, 1 + i)),
                .. voters.Select((voter, i) => election.CastAsync(At(i), voter, 255 - i % 50)),
            ];
            if (how == "killed") await sharing.UntilAskedAsync(false);
            else await Until.HoldsAsync("places are taken anew", async () => await PlacesAsync() > voters.Count / 2);
        }

        var answers = await Task.WhenAll([.. casts, .. more]);
        Assert.All(answers, answer => Assert.Contains((answer.Status, answer.Problem), Known));
        Assert.All(answers.Take(voters.Count), answer => Assert.Equal(202, answer.Status));
        if (how == "killed") await sharing.Redis.RestartAsync(Cancel);
        await sharing.UntilAskedAsync(true);
        var ledger = await Site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        // At one process races stay ordered: no other ballot was let in beside the first one.
        Assert.Equal(0, ledger.Count(election, "rejected"));
        for (var i = 0; i < voters.Count; i++)
        {
            var known = await election.CastUntilKnownAsync(() => At(i + 1), voters[i], 1 + i);
            Assert.Equal((200, answers[i].VoteId), (known.Status, known.VoteId));
        }
    }

    [Fact]
    public async Task Under_load_that_goes_on_through_kills_pauses_and_losses()
    {
        var election = await Site.PublishAsync();
        var voters = await Site.VotersAsync(400);
        using var over = new CancellationTokenSource();
        var seen = new ConcurrentBag<Answer>();
        var next = -1;
        var load = Enumerable.Range(0, 16).Select(_ => Task.Run(LoadAsync, Cancel)).ToArray();
        var lost = await UnansweredAsync();
        for (var round = 0; round < 2; round++)
        {
            await MoreAsync();
            await sharing.Redis.KillAsync();
            await sharing.UntilAskedAsync(false);
            await MoreAsync();
            await sharing.Redis.RestartAsync(Cancel);
            await sharing.UntilAskedAsync(true);
            await MoreAsync();
            Assert.Equal("+OK", await sharing.Redis.CommandAsync("FLUSHALL", Cancel));
            await MoreAsync();
            sharing.Redis.Pause();
            await sharing.UntilAskedAsync(false);
            sharing.Redis.Resume();
            await sharing.UntilAskedAsync(true);
        }

        await over.CancelAsync();
        await Task.WhenAll(load);
        Assert.All(seen, answer => Assert.Contains((answer.Status, answer.Problem), Known));
        Assert.True(await UnansweredAsync() > lost + 2, "No call was ever lost: the faults met nothing.");
        var ledger = await Site.AssertKeptAsync(election);
        Assert.Equal(Math.Min(Volatile.Read(ref next) + 1, voters.Count), ledger.Count(election, "counted"));

        // Every voter votes once and then, for as long as there are voters, sends the same and others again.
        async Task LoadAsync()
        {
            while (!over.IsCancellationRequested)
            {
                var i = Interlocked.Increment(ref next);
                var voter = voters[i % voters.Count];
                var choice = 1 + i % voters.Count % 127;
                seen.Add(await election.CastUntilKnownAsync(() => At(i), voter, choice, seen.Add));
                await Task.WhenAll(CastAsync(At(i + 1), voter, choice), CastAsync(At(i), voter, 128 + choice));
            }
        }

        async Task CastAsync(HostProcess at, SignedInVoter voter, int choice) =>
            seen.Add(await election.CastAsync(at, voter, choice));

        Task MoreAsync()
        {
            var enough = seen.Count + 50;
            return Until.HoldsAsync("the load goes on", () => Task.FromResult(seen.Count >= enough));
        }
    }

    /// <returns>How many voters' places Redis holds.</returns>
    private async Task<int> PlacesAsync() =>
        // The first line of a list says how long it is.
        int.Parse((await sharing.Redis.CommandAsync("KEYS voting:r:*", Cancel))[1..], CultureInfo.InvariantCulture);

    private HostProcess At(int i) => i % 2 == 0 ? Site.First : Site.Second;

    private async Task<double> UnansweredAsync() =>
        await RedisSite.MetricAsync(Site.First, "redis_calls_unanswered")
        + await RedisSite.MetricAsync(Site.Second, "redis_calls_unanswered");
}
