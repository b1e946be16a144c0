using Testing;

namespace ChaosTests;

/// <summary>Tallies that are wrong, by whatever mishap, and their repair while everything goes on.</summary>
[Collection(CountingSite.Name)]
public sealed class RebuildTests(Site site)
{
    private const int Voters = 96;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Altered_and_deleted_tallies_are_corrected_while_ballots_come_in_and_are_counted()
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();
        await site.Consumer.KillAsync();
        var (altered, deleted) = (0, 0);
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            altered += await site.ExecuteAsync($"""
                UPDATE {schema}.tallies SET ballots = ballots + 7, votes[1] = votes[1] + 7
                WHERE survey = {election.Id} AND partition % 3 = 0
                """);
            deleted += await site.ExecuteAsync(
                $"DELETE FROM {schema}.tallies WHERE survey = {election.Id} AND partition % 3 = 1");
        }

        Assert.True(altered > 0 && deleted > 0);
        // It counts on from what it finds: from now on its memory, the rows and the log are wrong alike.
        await site.StartConsumerAsync();
        await site.CastAsync(election, 30);
        await site.SettleAsync();
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => TalliesAgreeAsync(election));

        using var done = new CancellationTokenSource();
        var voters = await site.VotersAsync(Voters);
        var cast = 0;
        var load = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested && cast < voters.Count)
            {
                var answer = await election.CastAsync(cast % 2 == 0 ? site.First : site.Second, voters[cast], 1 + cast);
                Assert.Equal(202, answer.Status);
                cast++;
            }
        }, Cancel);
        await Until.HoldsAsync("ballots come in", () => Task.FromResult(Volatile.Read(ref cast) > 10));
        var before = Volatile.Read(ref cast);
        var said = await site.Installation.RunAsync(["admin", "rebuild-results", "--survey", election.Id], Cancel);
        var meanwhile = Volatile.Read(ref cast) - before;
        await done.CancelAsync();
        await load;
        Assert.True(meanwhile > 0, "No ballot came in while it ran.");
        Assert.Matches(
            $@"^survey {election.Id}: \d+ ballots; corrected in {altered + deleted} partitions$", said.Trim());

        // Live result, tallies and rows agree again, with what came meanwhile, and afterwards.
        await site.AssertKeptAsync(election);
        await site.CastAsync(election, 30);
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters + 60 + cast, ledger.Count(election, "counted"));
        said = await site.Installation.RunAsync(["admin", "rebuild-results"], Cancel);
        Assert.All(said.Trim().Split('\n'), line => Assert.EndsWith("; same", line.Trim(), StringComparison.Ordinal));
        await AssertSignedIsNeverTouchedAsync(election, Voters + 60 + cast);
    }

    private async Task AssertSignedIsNeverTouchedAsync(Election election, int ballots)
    {
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        await Until.HoldsAsync("the result is final", async () => await site.ReadAsync<string>(
            $"SELECT status FROM voting.surveys WHERE id = {election.Id}") == "finished");
        const string final = "SELECT final_statement || final_ballots || final_votes FROM voting.surveys WHERE id = ";
        var signed = await site.ReadAsync<string>(final + election.Id);
        Assert.Equal(ballots, await site.ReadAsync<long>(
            $"SELECT final_ballots FROM voting.surveys WHERE id = {election.Id}"));

        var schema = (await Ledger.SchemasAsync(site.Database))[0];
        var away = election.Number + 100_000_000;
        var taken = await site.ExecuteAsync(
            $"UPDATE {schema}.ballots SET survey = {away} WHERE survey = {election.Id}");
        Assert.True(taken > 0);
        var refused = await Assert.ThrowsAsync<ProcessFailedException>(
            () => site.Installation.RunAsync(["admin", "rebuild-results", "--survey", election.Id], Cancel));
        Assert.Contains("exit code 1", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"{ballots - taken} ballots; the signed result is another, of {ballots} ballots",
            refused.Message, StringComparison.Ordinal);
        Assert.Equal(taken, await site.ExecuteAsync(
            $"UPDATE {schema}.ballots SET survey = {election.Id} WHERE survey = {away}"));
        Assert.Equal(signed, await site.ReadAsync<string>(final + election.Id));
        var said = await site.Installation.RunAsync(["admin", "rebuild-results", "--survey", election.Id], Cancel);
        Assert.Equal($"survey {election.Id}: {ballots} ballots; same", said.Trim());
    }

    private async Task TalliesAgreeAsync(Election election)
    {
        var (ballots, votes) = await Promises.RecountAsync(site, election);
        await Promises.AssertStoredTalliesAsync(site, election, ballots, votes);
    }
}
