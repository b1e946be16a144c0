namespace ChaosTests;

/// <summary>What two api processes promise together while they have a Redis between them.</summary>
[Collection(SharingSite.Name)]
public sealed class SharedRaceTests(RedisSite sharing) : IAsyncLifetime
{
    private const int Voters = 6;
    private const int Ballots = 64;

    private double _unansweredBefore;

    private Site Site => sharing.Site;

    public async ValueTask InitializeAsync()
    {
        await sharing.UntilAskedAsync(true);
        _unansweredBefore = await UnansweredAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Of_64_different_ballots_of_a_voter_at_two_processes_one_is_accepted_and_nothing_else_appended()
    {
        var election = await Site.PublishAsync();
        var voters = await Site.VotersAsync(Voters);
        var answers = await Task.WhenAll(
            from choice in Enumerable.Range(1, Ballots)
            from voter in voters
            select CastAsync(election, voter, choice));

        foreach (var voter in voters)
        {
            var mine = answers.Where(cast => cast.Voter == voter).Select(cast => cast.Answer).ToArray();
            Assert.Equal(Ballots, mine.Length);
            var first = Assert.Single(mine, answer => answer.IsAccepted);
            Assert.Equal(202, first.Status);
            Assert.All(mine.Where(answer => answer != first), answer => Assert.Contains(
                (answer.Status, answer.Problem), new[] { (409, "duplicate-vote"), (503, "outcome-unknown") }));
            Assert.All(mine.Where(answer => answer.Status == 409), answer =>
                Assert.Equal(first.VoteId, answer.VoteId));
        }

        var ledger = await Site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "rejected") + ledger.Count(election, "repeated"));
        Assert.Equal(0, await UnansweredAsync());
    }

    [Fact]
    public async Task Of_64_same_ballots_of_a_voter_at_two_processes_all_get_one_receipt_and_one_is_appended()
    {
        var election = await Site.PublishAsync();
        var voters = await Site.VotersAsync(Voters);
        foreach (var voter in voters)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, Ballots).Select(i =>
                election.CastAsync(i % 2 == 0 ? Site.First : Site.Second, voter, 3)));
            Assert.All(answers, answer => Assert.Contains(answer.Status, new[] { 200, 202 }));
            Assert.Single(answers.Select(answer => answer.Body).Distinct());
        }

        var ledger = await Site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
        // Whoever waited longer than a second for the first one's acknowledgement may have appended the same again.
        Assert.Equal(0, ledger.Count(election, "rejected"));
        Assert.Equal(0, await UnansweredAsync());
    }

    [Fact]
    public async Task What_one_process_accepted_the_other_knows_before_it_is_counted()
    {
        var election = await Site.PublishAsync();
        var voters = await Site.VotersAsync(20);
        await Site.SettleAsync();
        await Site.Consumer.PauseAsync();
        try
        {
            for (var i = 0; i < voters.Count; i++)
            {
                var first = await election.CastAsync(Site.First, voters[i], 1 + i, "key");
                Assert.Equal(202, first.Status);
                Assert.Equal(new Answer(200, first.Body),
                    await election.CastAsync(Site.Second, voters[i], 1 + i, "key"));
                var other = await election.CastAsync(Site.Second, voters[i], 100 + i);
                Assert.Equal((409, "duplicate-vote", first.VoteId), (other.Status, other.Problem, other.VoteId));
                var vote = await election.VoteAsync(Site.Second, voters[i], first.VoteId!);
                Assert.Equal("accepted", vote.GetProperty("status").GetString());
            }

            Assert.Equal(0, (await Promises.RecountAsync(Site, election)).Ballots);
        }
        finally
        {
            Site.Consumer.Resume();
        }

        var ledger = await Site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "repeated"));
    }

    private async Task<double> UnansweredAsync() =>
        await RedisSite.MetricAsync(Site.First, "redis_calls_unanswered")
        + await RedisSite.MetricAsync(Site.Second, "redis_calls_unanswered")
        - _unansweredBefore;

    private async Task<Cast> CastAsync(Election election, Testing.SignedInVoter voter, int choice) =>
        new(voter, await election.CastAsync(choice % 2 == 0 ? Site.First : Site.Second, voter, choice));

    private sealed record Cast(Testing.SignedInVoter Voter, Answer Answer);
}
