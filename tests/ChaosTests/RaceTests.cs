namespace ChaosTests;

[Collection(RacesSite.Name)]
public sealed class RaceTests(Site site)
{
    private const int VotersARound = 4;
    private const int BallotsAVoter = 64;
    private const int RoundsMin = 3;
    private const int RoundsMax = 12;

    private static readonly (int, string)[] Known = [(202, ""), (409, "duplicate-vote"), (503, "outcome-unknown")];

    [Fact]
    public async Task Of_64_different_ballots_of_a_voter_at_two_processes_one_is_counted()
    {
        var election = await site.PublishAsync();
        var (duplicates, rounds) = (0, 0);
        // A race is met when both processes have accepted a ballot of one voter; until then it is run again.
        for (; rounds < RoundsMin || duplicates == 0; rounds++)
        {
            Assert.True(rounds < RoundsMax, "No two processes ever accepted at once: nothing was raced.");
            var voters = await site.VotersAsync(VotersARound);
            var answers = await Task.WhenAll(
                from choice in Enumerable.Range(1, BallotsAVoter)
                from voter in voters
                select CastAsync(election, voter, choice));
            Assert.All(answers, cast => Assert.Contains((cast.Answer.Status, cast.Answer.Problem), Known));
            var accepted = answers.Where(cast => cast.Answer.Status == 202).ToArray();
            Assert.Equal(VotersARound, accepted.Select(cast => cast.Voter).Distinct().Count());
            await site.SettleAsync();
            foreach (var cast in accepted) await AssertItEndedAsync(election, cast);
            duplicates = (await Ledger.ReadAsync(site)).Count(election, "rejected", "duplicate");
        }

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(rounds * VotersARound, ledger.Count(election, "counted"));
        Assert.Equal(duplicates, ledger.Count(election, "rejected"));
    }

    [Fact]
    public async Task Of_32_same_ballots_of_a_voter_at_two_processes_one_is_counted_and_the_rest_are_repeats()
    {
        var election = await site.PublishAsync();
        var (repeats, rounds) = (0, 0);
        for (; repeats == 0; rounds++)
        {
            Assert.True(rounds < RoundsMax, "No two requests ever were appended: nothing was raced.");
            var voter = (await site.VotersAsync(1))[0];
            var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(i =>
                election.CastAsync(i % 2 == 0 ? site.First : site.Second, voter, 3)));
            Assert.All(answers, answer => Assert.Contains(answer.Status, new[] { 200, 202 }));
            Assert.Single(answers.Select(answer => answer.VoteId).Distinct());
            // Each process answers all of its own with what it said first.
            Assert.InRange(answers.Select(answer => answer.Body).Distinct().Count(), 1, 2);
            await site.SettleAsync();
            repeats = (await Ledger.ReadAsync(site)).Count(election, "repeated");
        }

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(rounds, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "rejected"));
    }

    private async Task<Cast> CastAsync(Election election, Testing.SignedInVoter voter, int choice)
    {
        var at = choice % 2 == 0 ? site.First : site.Second;
        return new(at, voter, await election.CastAsync(at, voter, choice));
    }

    /// <summary>
    /// An accepted vote is counted, or rejected as the duplicate of one that is; its voter can read which.
    /// </summary>
    private static async Task AssertItEndedAsync(Election election, Cast cast)
    {
        var vote = await election.VoteAsync(cast.At, cast.Voter, cast.Answer.VoteId!);
        var ended = (vote.GetProperty("status").GetString(),
            vote.TryGetProperty("reason", out var reason) ? reason.GetString() : null);
        Assert.Contains(ended, new (string?, string?)[] { ("counted", null), ("rejected", "duplicate") });
    }

    private sealed record Cast(Testing.HostProcess At, Testing.SignedInVoter Voter, Answer Answer);
}
