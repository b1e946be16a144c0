using System.Text.Json;
using Testing;

namespace ChaosTests;

[Collection(AcceptingSite.Name)]
public sealed class KilledByTurnsTests(Site site)
{
    private const int Voters = 300;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_is_killed_in_turn_under_load_every_vote_has_one_end_and_all_counts_agree()
    {
        var election = await site.PublishAsync();
        await using var first = await site.Installation.StartHostAsync("sse", cancel: Cancel);
        var sse = first;
        var load = new Load(site, election, await site.VotersAsync(Voters));
        await load.RunAsync(faults: 8, async turn =>
        {
            switch (turn % 4)
            {
                case 0:
                    await Running(() => site.Second);
                    await site.Second.KillAsync();
                    break;
                case 1:
                    await Running(() => site.Consumer);
                    await site.Consumer.KillAsync();
                    break;
                case 2:
                    await Running(() => site.First);
                    await site.First.KillAsync();
                    break;
                default:
                    await sse.KillAsync();
                    sse = await site.Installation.StartHostAsync("sse", cancel: Cancel);
                    break;
            }
        });

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        await Until.HoldsAsync("the result is final", async () => await site.ReadAsync<string>(
            $"SELECT status FROM voting.surveys WHERE id = {election.Id}") == "finished");
        await AssertSignedIsTheRecountAsync(election);
        Assert.Equal(Voters, await LastFrameAsync(sse, election));
        await sse.DisposeAsync();
    }

    private async Task AssertSignedIsTheRecountAsync(Election election)
    {
        var (ballots, votes) = await Promises.RecountAsync(site, election);
        Assert.Equal(ballots, await site.ReadAsync<long>(
            $"SELECT final_ballots FROM voting.surveys WHERE id = {election.Id}"));
        var signed = JsonSerializer.Deserialize<Dictionary<int, long>>(await site.ReadAsync<string>(
            $"SELECT final_votes::text FROM voting.surveys WHERE id = {election.Id}"))!;
        Assert.Equal(votes, signed.Where(vote => vote.Value > 0).OrderBy(vote => vote.Key));
    }

    /// <returns>Ballots as the stream shows them once the result is final.</returns>
    private static async Task<long> LastFrameAsync(HostProcess sse, Election election)
    {
        using var response = await sse.Public.GetAsync(
            $"/v1/surveys/{election.Id}/results/stream", HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        var shown = -1L;
        // A final result is the last that a stream says.
        while (await lines.ReadLineAsync(Cancel) is { } line)
        {
            if (line.StartsWith("data:", StringComparison.Ordinal)
                && JsonElement.Parse(line["data:".Length..]).TryGetProperty("totalResponses", out var total))
            {
                shown = total.GetInt64();
            }
        }

        return shown;
    }

    private static Task Running(Func<HostProcess> host) =>
        Until.HoldsAsync("what is to be killed runs", () => Task.FromResult(!host().HasExited));
}
