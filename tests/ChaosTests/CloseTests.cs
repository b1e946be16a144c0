using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Testing;

namespace ChaosTests;

[Collection(RacesSite.Name)]
public sealed class CloseTests(Site site)
{
    private const int Partitions = 16;
    private const int RoundsMax = 8;

    [Fact]
    public async Task What_was_acknowledged_while_the_survey_closed_is_counted()
    {
        // Some ballot must have been accepted under a lease after the survey began to close; until then, once more.
        for (var (round, hits) = (1, 0L); hits == 0; round++)
        {
            Assert.True(round <= RoundsMax, "Nothing was ever accepted under a lease.");
            var election = await site.PublishAsync();
            var accepted = await CastAndFinishAsync(election);
            await IsFinalAsync(election);
            var ledger = await site.AssertKeptAsync(election);
            Assert.Equal(accepted.Count, ledger.Count(election, "counted"));
            foreach (var host in new[] { site.First, site.Second })
            {
                await Task.WhenAll(accepted.Select(async cast => Assert.Equal(
                    new Answer(200, cast.Answer.Body), await election.CastAsync(host, cast.Voter, cast.Choice))));
                await ShowsFinalAsync(election, host, accepted.Count);
            }

            foreach (var schema in await Ledger.SchemasAsync(site.Database))
            {
                hits += await site.ReadAsync<long>($"""
                    SELECT count(*) FROM {schema}.ballots JOIN voting.surveys ON id = survey
                    WHERE id = {election.Id} AND accepted_at > closing_at
                    """);
            }
        }
    }

    /// <summary>One client a partition casts all its voters' ballots, and staff finish meanwhile.</summary>
    private async Task<IReadOnlyCollection<Accepted>> CastAndFinishAsync(Election election)
    {
        var voters = (await site.VotersAsync(480)).GroupBy(Site.PartitionOf).ToArray();
        Assert.Equal(Partitions, voters.Length);
        var accepted = new ConcurrentBag<Accepted>();
        var load = voters.Select(async partition =>
        {
            var choice = 0;
            foreach (var voter in partition)
            {
                var at = ++choice % 2 == 0 ? site.First : site.Second;
                var answer = await election.CastUntilKnownAsync(() => at, voter, choice);
                if (answer.IsAccepted) accepted.Add(new(voter, choice, answer));
                else Assert.Equal((409, "survey-not-open"), (answer.Status, answer.Problem));
            }
        }).ToArray();
        await Until.HoldsAsync("ballots come in", () => Task.FromResult(accepted.Count >= 2 * Partitions));
        await FinishAsync(election);
        await Task.WhenAll(load);
        return accepted;
    }

    [Fact]
    public async Task A_ballot_that_comes_to_stand_behind_the_fence_is_refused_and_was_never_acknowledged()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(60);
        var inTime = await Task.WhenAll(voters.Take(20).Select(voter => election.CastAsync(site.Second, voter, 1)));
        Assert.All(inTime, answer => Assert.Equal(202, answer.Status));
        await site.SettleAsync();

        // Past the check that the survey is open, each ballot asks the shard for the voter: there they are held.
        var tables = await site.TablesAsync("ballots");
        Task<Answer>[] late;
        await using (var held = await HeldLock.TakeAsync(
            site.Database, $"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
        {
            late = [.. voters.Skip(20).Select(voter => election.CastUntilKnownAsync(() => site.Second, voter, 2))];
            await Until.HoldsAsync("ballots are held", async () => (await held.HeldAsync()).Length > 0);
            await site.Second.PauseAsync();
        }

        try
        {
            await FinishAsync(election);
            await IsFinalAsync(election);
        }
        finally
        {
            site.Second.Resume();
        }

        Assert.All(await Task.WhenAll(late), answer =>
            Assert.Equal((409, "survey-not-open"), (answer.Status, answer.Problem)));
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(20, ledger.Count(election, "counted"));
        Assert.True(ledger.Count(election, "rejected", "after-close") > 0, "No ballot came to stand behind the fence.");
        await ShowsFinalAsync(election, site.First, 20);
    }

    [Fact]
    public async Task What_reached_the_log_of_a_process_that_stood_still_past_its_lease_is_accepted_and_counted()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(160);
        Task<Answer>[] casts;
        await using (var held = await HeldLock.TakeAsync(
            site.Database, "SELECT FROM platform.log_partitions WHERE topic = 'votes' FOR UPDATE"))
        {
            casts = [.. voters.Take(80).Select(voter => election.CastUntilKnownAsync(() => site.Second, voter, 2))];
            await Until.HoldsAsync("ballots wait in the log", async () => (await held.HeldAsync()).Length > 0);
            await site.Second.PauseAsync();
        }

        IReadOnlyCollection<Accepted> meanwhile;
        try
        {
            // The log has taken what it held, and nobody was told. On every partition others go on.
            await Until.HoldsAsync("the log has them", async () =>
                (await LogTables.ReadAsync(site.Database, "votes")).Any(record =>
                    VoteEvent.Read(record) is { Type: "vote.submitted" } vote && vote.Survey == election.Number));
            meanwhile = await CastWhileItClosesAsync(election, [.. voters.Skip(80)]);
            await IsFinalAsync(election);
        }
        finally
        {
            site.Second.Resume();
        }

        var answers = await Task.WhenAll(casts);
        var accepted = answers.Count(answer => answer.IsAccepted);
        Assert.True(accepted > 0, "What stood before the fence was refused.");
        Assert.All(answers.Where(answer => !answer.IsAccepted), answer =>
            Assert.Equal((409, "survey-not-open"), (answer.Status, answer.Problem)));
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(accepted + meanwhile.Count, ledger.Count(election, "counted"));
        await ShowsFinalAsync(election, site.First, accepted + meanwhile.Count);
    }

    private async Task<IReadOnlyCollection<Accepted>> CastWhileItClosesAsync(
        Election election, IReadOnlyList<SignedInVoter> voters)
    {
        var accepted = new ConcurrentBag<Accepted>();
        for (var i = 0; i < voters.Count; i++)
        {
            if (i == voters.Count / 2) await FinishAsync(election);
            var answer = await election.CastUntilKnownAsync(() => site.First, voters[i], 1);
            if (answer.IsAccepted) accepted.Add(new(voters[i], 1, answer));
            else Assert.Equal((409, "survey-not-open"), (answer.Status, answer.Problem));
        }

        return accepted;
    }

    private async Task FinishAsync(Election election) =>
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);

    private Task IsFinalAsync(Election election) => Until.HoldsAsync("the result is final", async () =>
        await site.ReadAsync<string>($"SELECT status FROM voting.surveys WHERE id = {election.Id}") == "finished");

    /// <summary>The signed result and the shown one are what a recount of the rows gives.</summary>
    private async Task ShowsFinalAsync(Election election, HostProcess at, long count)
    {
        await Until.HoldsAsync("the final result is shown", async () =>
            (await election.ResultsAsync(at))?.GetProperty("status").GetString() == "final");
        var (ballots, votes) = await Promises.RecountAsync(site, election);
        Assert.Equal(count, ballots);
        Assert.Equal(ballots, (await election.ResultsAsync(at))?.GetProperty("totalResponses").GetInt64());
        Assert.Equal(ballots, await site.ReadAsync<long>(
            $"SELECT final_ballots FROM voting.surveys WHERE id = {election.Id}"));
        Assert.Equal(votes.Values.Sum(), await site.ReadAsync<long>($"""
            SELECT sum(value::bigint)::bigint FROM voting.surveys, jsonb_each_text(final_votes) WHERE id = {election.Id}
            """));
        await IsToldAsync(election, ballots, votes);
    }

    /// <summary>The log tells of the end all that a recount of the log needs, and what it must come to.</summary>
    private async Task IsToldAsync(Election election, long ballots, IReadOnlyDictionary<int, long> votes)
    {
        var told = default(JsonElement);
        await Until.HoldsAsync("the log tells of the final result", async () => (told = (
            await site.LogAsync("domain-events")).Select(record => JsonElement.Parse(record.Value))
            .Where(one => one.GetProperty("type").GetString() == "survey.finalized")
            .Select(one => one.GetProperty("data"))
            .FirstOrDefault(one => one.GetProperty("survey").GetString() == election.Id))
            .ValueKind is JsonValueKind.Object);
        Assert.Equal(ballots, told.GetProperty("ballots").GetInt64());
        Assert.All(told.GetProperty("votes").EnumerateObject(), option => Assert.Equal(
            votes.GetValueOrDefault(int.Parse(option.Name, CultureInfo.InvariantCulture)), option.Value.GetInt64()));
        var fences = told.GetProperty("fences").EnumerateArray().ToDictionary(
            fence => fence.GetProperty("partition").GetInt32(), fence => fence.GetProperty("offset").GetInt64());
        Assert.Equal(Partitions, fences.Count);
        var log = await LogTables.ReadAsync(site.Database, "votes");
        Assert.All(fences, fence => Assert.Contains("\"survey.closed\"", Encoding.UTF8.GetString(log.Single(
            record => (record.Partition, record.Offset) == (fence.Key, fence.Value)).Value), StringComparison.Ordinal));
    }

    private sealed record Accepted(SignedInVoter Voter, int Choice, Answer Answer);
}
