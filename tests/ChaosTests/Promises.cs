using System.Globalization;
using System.Text.Json;
using Testing;

namespace ChaosTests;

/// <summary>What must hold at the end of every test, whatever it broke.</summary>
internal static class Promises
{
    /// <summary>Waits until counting is done, then holds everything against everything.</summary>
    public static async Task<Ledger> AssertKeptAsync(this Site site, params Election[] elections)
    {
        var ledger = await SettledAsync(site);
        ledger.AssertEveryRecordHasItsEnding();
        ledger.AssertOutcomesAreComplete();
        var ended = ledger.Endings.Values.Where(ending => ending.Kind is "counted" || ending.Reason is "duplicate")
            .Select(ending => ending.VoteId).ToHashSet();
        // A 202 promises one of two ends; a vote that is only repeated or late would have been promised and lost.
        Assert.DoesNotContain(site.Promised, voteId => !ended.Contains(voteId));
        foreach (var election in elections) await AssertTalliesAgreeAsync(site, election);
        return ledger;
    }

    /// <returns>
    /// Everything of one moment: a survey that an earlier test has finished gets its fences whenever it does.
    /// </returns>
    private static async Task<Ledger> SettledAsync(Site site)
    {
        Ledger? ledger = null;
        await Until.HoldsAsync("the log stands still", async () =>
        {
            var before = (await site.LogAsync("votes")).Count;
            await site.SettleAsync();
            ledger = await Ledger.ReadAsync(site);
            return before == ledger.Records.Count && (await site.LogAsync("votes")).Count == before;
        });
        return ledger!;
    }

    /// <summary>Live result = tallies = a recount of the rows, of which there is one a voter.</summary>
    private static async Task AssertTalliesAgreeAsync(Site site, Election election)
    {
        var (ballots, votes) = await RecountAsync(site, election);
        await AssertStoredTalliesAsync(site, election, ballots, votes);
        foreach (var host in new Func<HostProcess>[] { () => site.First, () => site.Second })
        {
            JsonElement? shown = null;
            await Until.HoldsAsync($"the results show {ballots} ballots", async () =>
            {
                if (host().HasExited && !site.IsKept) Assert.Fail($"{host().Roles} ended: {host().LastOutput}");
                shown = await election.ResultsAsync(host());
                return shown?.GetProperty("totalResponses").GetInt64() == ballots;
            });
            var options = shown!.Value.GetProperty("questions")[0].GetProperty("options").EnumerateArray().ToDictionary(
                option => int.Parse(option.GetProperty("id").GetString()!, CultureInfo.InvariantCulture),
                option => option.GetProperty("votes").GetInt64());
            Assert.Equal(options.Where(option => option.Value > 0).OrderBy(option => option.Key), votes);
        }
    }

    /// <returns>Ballots, and votes by option, from the rows alone.</returns>
    public static async Task<(long Ballots, SortedDictionary<int, long> Votes)> RecountAsync(
        Site site, Election election)
    {
        var votes = new SortedDictionary<int, long>();
        var ballots = 0L;
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            ballots += await site.ReadAsync<long>(
                $"SELECT count(*) FROM {schema}.ballots WHERE survey = {election.Id}");
            await using var query = site.Database.CreateCommand($"""
                SELECT chosen, count(*) FROM {schema}.ballots, unnest(options) AS chosen
                WHERE survey = {election.Id} GROUP BY 1
                """);
            await using var rows = await query.ExecuteReaderAsync();
            while (await rows.ReadAsync())
                votes[rows.GetInt32(0)] = votes.GetValueOrDefault(rows.GetInt32(0)) + rows.GetInt64(1);
        }

        return (ballots, votes);
    }

    /// <summary>What the shards store beside the rows adds up to a recount of them.</summary>
    public static async Task AssertStoredTalliesAsync(
        Site site, Election election, long ballots, SortedDictionary<int, long> votes)
    {
        var (tallied, talliedVotes) = (0L, new SortedDictionary<int, long>());
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            await using var query = site.Database.CreateCommand(
                $"SELECT ballots, options, votes FROM {schema}.tallies WHERE survey = {election.Id}");
            await using var rows = await query.ExecuteReaderAsync();
            while (await rows.ReadAsync())
            {
                tallied += rows.GetInt64(0);
                foreach (var (option, count) in rows.GetFieldValue<int[]>(1).Zip(rows.GetFieldValue<long[]>(2)))
                    talliedVotes[option] = talliedVotes.GetValueOrDefault(option) + count;
            }
        }

        Assert.Equal(ballots, tallied);
        Assert.Equal(votes, talliedVotes);
    }
}
