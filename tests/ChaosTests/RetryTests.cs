using Testing;

namespace ChaosTests;

[Collection(AcceptingSite.Name)]
public sealed class RetryTests(Site site)
{
    [Fact]
    public async Task A_retry_gets_the_first_answer_from_every_process_also_after_a_restart()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(20);
        var first = await Task.WhenAll(
            voters.Select((voter, i) => election.CastAsync(site.Second, voter, 1 + i, Key(i))));
        Assert.All(first, answer => Assert.Equal(202, answer.Status));
        await RetryAsync(site.Second);
        // Asked at once, the other process may know nothing yet; once it is counted, everybody knows.
        await site.SettleAsync();
        await RetryAsync(site.First);

        await site.Second.KillAsync();
        await site.StartSecondAsync();
        await Site.KnowsAsync(site.Second, election.Id);
        await RetryAsync(site.Second);

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "rejected"));

        async Task RetryAsync(HostProcess at)
        {
            for (var i = 0; i < voters.Count; i++)
            {
                Assert.Equal(new Answer(200, first[i].Body), await election.CastAsync(at, voters[i], 1 + i, Key(i)));
                Assert.Equal(new Answer(200, first[i].Body), await election.CastAsync(at, voters[i], 1 + i));
                Assert.Equal(new Answer(200, first[i].Body), await election.CastAsync(at, voters[i], 1 + i, "another"));
                var otherBallot = await election.CastAsync(at, voters[i], 100 + i);
                Assert.Equal((409, "duplicate-vote", first[i].VoteId),
                    (otherBallot.Status, otherBallot.Problem, otherBallot.VoteId));
                var reused = await election.CastAsync(at, voters[i], 100 + i, Key(i));
                Assert.Equal((422, "idempotency-key-reused"), (reused.Status, reused.Problem));
                var status = await election.VoteAsync(at, voters[i], first[i].VoteId!);
                Assert.Equal(System.Text.Json.JsonElement.Parse(first[i].Body).GetProperty("receipt").GetString(),
                    status.GetProperty("receipt").GetString());
            }
        }
    }

    [Fact]
    public async Task After_ten_minutes_only_the_key_of_the_first_request_gets_the_first_answer()
    {
        var election = await site.PublishAsync();
        var voter = (await site.VotersAsync(1))[0];
        var first = await election.CastAsync(site.Second, voter, 7, "the-key");
        Assert.Equal(202, first.Status);
        await site.SettleAsync();
        // No clock of another process can be turned, but the row can be made older; the answer's time goes with it.
        var aged = 0;
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            aged += await site.ExecuteAsync($"""
                UPDATE {schema}.ballots SET accepted_at = accepted_at - interval '601 s' WHERE survey = {election.Id}
                """);
        }

        Assert.Equal(1, aged);
        // A process that has the vote in memory still has it as it was.
        var withKey = await election.CastAsync(site.First, voter, 7, "the-key");
        Assert.Equal((200, first.VoteId), (withKey.Status, withKey.VoteId));
        foreach (var key in new[] { null, "another" })
        {
            var without = await election.CastAsync(site.First, voter, 7, key);
            Assert.Equal((409, "duplicate-vote", first.VoteId), (without.Status, without.Problem, without.VoteId));
        }
    }

    [Fact]
    public async Task A_process_killed_with_hundreds_of_ballots_in_flight_loses_none_and_doubles_none()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(300);
        var killed = site.Second;
        const int before = 60;
        var answers = await Task.WhenAll(voters.Take(before).Select((voter, i) => CastAsync(voter, i)));
        Assert.All(answers, answer => Assert.Equal(202, answer.Status));
        await using (var held = await HeldLock.TakeAsync(
            site.Database, "SELECT FROM platform.log_partitions WHERE topic = 'votes' FOR UPDATE"))
        {
            var casts = voters.Skip(before).Select((voter, i) => CastAsync(voter, before + i)).ToArray();
            await Until.HoldsAsync("ballots are being appended", async () => (await held.HeldAsync()).Length > 0);
            await killed.KillAsync();
            answers = [.. answers, .. await Task.WhenAll(casts)];
            // What was handed to the database before the kill is appended now, and nobody was told.
        }

        Assert.All(answers.Skip(before), answer => Assert.Equal(0, answer.Status));
        var retried = await Task.WhenAll(voters.Select((voter, i) => answers[i].Status == 202
            ? Task.FromResult(answers[i])
            : election.CastUntilKnownAsync(() => site.First, voter, 1 + i % 255)));
        Assert.All(retried, answer => Assert.True(answer.IsAccepted, answer.ToString()));
        await site.StartSecondAsync();
        await Site.KnowsAsync(site.Second, election.Id);

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.Equal(0, ledger.Count(election, "rejected"));
        // Each voter is told the same by whichever process, and what was said first if anything was.
        for (var i = 0; i < voters.Count; i++)
        {
            var again = await election.CastAsync(site.Second, voters[i], 1 + i % 255);
            Assert.Equal(200, again.Status);
            if (answers[i].Status == 202) Assert.Equal(answers[i].Body, again.Body);
        }

        Task<Answer> CastAsync(SignedInVoter voter, int i) => election.CastAsync(killed, voter, 1 + i % 255, Key(i));
    }

    private static string Key(int i) => $"key-{i}";
}
