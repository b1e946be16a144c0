using System.Net.Http.Json;
using System.Text.Json;

namespace ChaosTests;

/// <summary>
/// Retries that come to a process which knows nothing of the vote, at a time when nothing but the log, or a lookup that
/// does not answer, could tell it.
/// </summary>
[Collection(AcceptingSite.Name)]
public sealed class LateRetryTests(Site site)
{
    [Fact]
    public async Task While_the_survey_closes_and_counting_lags_an_accepted_vote_is_never_told_that_it_came_too_late()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(20);
        var stranger = (await site.VotersAsync(1))[0];
        await site.SettleAsync();
        Answer[] first;
        await site.Consumer.PauseAsync();
        try
        {
            first = await Task.WhenAll(voters.Select(voter => election.CastAsync(site.Second, voter, 1)));
            Assert.All(first, answer => Assert.Equal(202, answer.Status));
            await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
            await KnowsItClosesAsync(election);

            // Its rows are not there, and it was another process that reserved: only waiting is right.
            var meanwhile = await Task.WhenAll(voters.Select(voter => election.CastAsync(site.First, voter, 1)));
            Assert.All(meanwhile, answer =>
                Assert.Equal((503, "outcome-unknown"), (answer.Status, answer.Problem)));
            Assert.Equal(0, (await Promises.RecountAsync(site, election)).Ballots);
        }
        finally
        {
            site.Consumer.Resume();
        }

        await site.SettleAsync();
        for (var i = 0; i < voters.Count; i++)
        {
            Assert.Equal(new Answer(200, first[i].Body), await election.CastAsync(site.First, voters[i], 1));
            var other = await election.CastAsync(site.First, voters[i], 2);
            Assert.Equal((409, "duplicate-vote", first[i].VoteId), (other.Status, other.Problem, other.VoteId));
        }

        var late = await election.CastAsync(site.First, stranger, 1);
        Assert.Equal((409, "survey-not-open"), (late.Status, late.Problem));
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "repeated") + ledger.Count(election, "rejected"));
    }

    [Fact]
    public async Task Retries_that_meet_each_other_while_the_lookup_hangs_append_nothing_that_is_counted_already()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(8);
        var first = await Task.WhenAll(voters.Select(voter => election.CastAsync(site.Second, voter, 5, "key")));
        Assert.All(first, answer => Assert.Equal(202, answer.Status));
        await site.SettleAsync();

        Task<Answer>[] retries;
        var tables = await site.TablesAsync("ballots");
        await using (var held = await HeldLock.TakeAsync(
            site.Database, $"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
        {
            retries = [.. from repeat in Enumerable.Range(0, 6)
                          from voter in voters
                          select election.CastAsync(site.First, voter, 5, "key")];
            await Until.HoldsAsync("a lookup hangs", async () => (await held.HeldAsync()).Length > 0);
            // Longer than a request waits for another one's answer before it would append the same ballot itself.
            await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
            Assert.DoesNotContain(retries, retry => retry.IsCompleted);
        }

        var answers = await Task.WhenAll(retries);
        for (var i = 0; i < answers.Length; i++)
            Assert.Equal(new Answer(200, first[i % voters.Count].Body), answers[i]);
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "repeated"));
    }

    [Fact]
    public async Task Of_two_ballots_accepted_at_two_processes_each_keeps_its_answer_and_one_is_named_to_others()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(12);
        await site.SettleAsync();
        Answer[] atFirst, atSecond;
        await site.Consumer.PauseAsync();
        try
        {
            atFirst = await Task.WhenAll(voters.Select(voter => election.CastAsync(site.First, voter, 1, "one")));
            atSecond = await Task.WhenAll(voters.Select(voter => election.CastAsync(site.Second, voter, 2, "two")));
            Assert.All(atFirst.Concat(atSecond), answer => Assert.Equal(202, answer.Status));
        }
        finally
        {
            site.Consumer.Resume();
        }

        await site.SettleAsync();
        for (var i = 0; i < voters.Count; i++)
        {
            // The first record of the partition counts, wherever it came from.
            foreach (var host in new[] { site.First, site.Second })
            {
                Assert.Equal(
                    new Answer(200, atFirst[i].Body), await election.CastAsync(host, voters[i], 1, "one"));
                var third = await election.CastAsync(host, voters[i], 4);
                Assert.Equal((409, "duplicate-vote", atFirst[i].VoteId), (third.Status, third.Problem, third.VoteId));
            }

            Assert.Equal(
                new Answer(200, atSecond[i].Body), await election.CastAsync(site.Second, voters[i], 2, "two"));
            Assert.Equal("rejected", (await election.VoteAsync(site.First, voters[i], atSecond[i].VoteId!))
                .GetProperty("status").GetString());
        }

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.Equal(voters.Count, ledger.Count(election, "rejected", "duplicate"));
    }

    private async Task KnowsItClosesAsync(Election election) =>
        await Until.HoldsAsync("the other process knows that the survey closes", async () =>
            (await site.First.Public.GetFromJsonAsync<JsonElement>($"/v1/surveys/{election.Id}"))
                .GetProperty("status").GetString() == "closing");
}
