using Testing;

namespace ChaosTests;

/// <summary>
/// Votes that were answered 202 and set aside, because counting lacked the key they are sealed with: what operators do.
/// </summary>
[Collection(CountingSite.Name)]
public sealed class ReplayTests(Site site)
{
    private const int Sealed = 6;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_set_aside_for_want_of_a_key_is_replayed_into_its_place_before_the_fence()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(Sealed);
        await site.AddMacKeyAsync();
        await using var newer = await site.Installation.StartHostAsync("api", cancel: Cancel);
        await Site.KnowsAsync(newer, election.Id);
        var first = await Task.WhenAll(
            voters.Select((voter, i) => election.CastAsync(newer, voter, 1 + i, $"key-{i}")));
        Assert.All(first, answer => Assert.Equal(202, answer.Status));
        var places = new (int Partition, long Offset)[Sealed];
        await Until.HoldsAsync("all are set aside", async () => await UnresolvedAsync() == Sealed);
        foreach (var record in await LogTables.ReadAsync(site.Database, "votes"))
        {
            var voter = Array.FindIndex(first, answer => answer.VoteId == VoteEvent.Read(record)?.VoteId);
            if (voter >= 0) places[voter] = (record.Partition, record.Offset);
        }

        // Nothing knows of them where they are not reserved: one voter casts another ballot, one the same again.
        Assert.Equal(202, (await election.CastAsync(site.First, voters[1], 100)).Status);
        Assert.Equal(202, (await election.CastAsync(site.First, voters[2], 3)).Status);
        var garbage = (Partition: 5, Offset: await LogTables.AppendAsync(site.Database, 5, "{}"u8.ToArray()));
        await FinishAsync(election);
        await site.Consumer.KillAsync();
        await site.StartConsumerAsync();
        Assert.Equal("closing", await StatusAsync(election));

        var before = (await LogTables.ReadAsync(site.Database, "votes")).Count;
        await DismissAsync(places[3]);
        await AssertRefusedAsync(places[3], "dismissed");
        await AssertRefusedAsync(garbage, "no MAC of ours");
        await DismissAsync(garbage);
        Assert.Equal(before, (await LogTables.ReadAsync(site.Database, "votes")).Count);

        // Two operators replay the last one at once.
        var said = await Task.WhenAll(new[] { 0, 1, 2, 4, 5, 5 }.Select(i => ReplayAsync(places[i])));
        Assert.All(new[] { "Counted", "Rejected, duplicate", "Repeated", "Counted", "Counted", "Counted" }.Zip(said),
            pair => Assert.Contains(pair.First, pair.Second, StringComparison.Ordinal));
        Assert.Contains("before", await ReplayAsync(places[0]), StringComparison.Ordinal);

        await Until.HoldsAsync("the result is final", async () => await StatusAsync(election) == "finished");
        var ledger = await LedgerAsync(election, first[3].VoteId!);
        Assert.Equal(5, ledger.Count(election, "counted"));
        Assert.Equal(5, await site.ReadAsync<long>(
            $"SELECT final_ballots FROM voting.surveys WHERE id = {election.Id}"));
        foreach (var i in new[] { 0, 4, 5 })
        {
            var again = await election.CastAsync(site.First, voters[i], 1 + i, $"key-{i}");
            Assert.Equal(new Answer(200, first[i].Body), again);
        }
    }

    /// <summary>The dismissed one was promised, and an operator took it back: it alone may lack its ending.</summary>
    private async Task<Ledger> LedgerAsync(Election election, string dismissed)
    {
        site.Release(dismissed);
        return await site.AssertKeptAsync(election);
    }

    private async Task FinishAsync(Election election)
    {
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        await Until.HoldsAsync("every partition is fenced off", async () =>
        {
            var fences = 0L;
            foreach (var schema in await Ledger.SchemasAsync(site.Database))
            {
                fences += await site.ReadAsync<long>(
                    $"SELECT count(*) FROM {schema}.fences WHERE survey = {election.Id}");
            }

            return fences == 16;
        });
    }

    private Task<string> StatusAsync(Election election) =>
        site.ReadAsync<string>($"SELECT status FROM voting.surveys WHERE id = {election.Id}");

    private async Task<long> UnresolvedAsync()
    {
        var count = 0L;
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            count += await site.ReadAsync<long>($"SELECT count(*) FROM {schema}.poison WHERE resolved_at IS NULL");
        }

        return count;
    }

    private Task<string> ReplayAsync((int Partition, long Offset) place) => RunAsync("replay", place);

    private Task<string> DismissAsync((int Partition, long Offset) place) => RunAsync("dismiss", place);

    private async Task AssertRefusedAsync((int Partition, long Offset) place, string why)
    {
        var refusal = await Assert.ThrowsAsync<ProcessFailedException>(() => ReplayAsync(place));
        Assert.Contains("exit code 1", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
    }

    private Task<string> RunAsync(string verb, (int Partition, long Offset) place) => site.Installation.RunAsync(
        ["admin", "poison", verb, "--partition", $"{place.Partition}", "--offset", $"{place.Offset}"], Cancel);
}
