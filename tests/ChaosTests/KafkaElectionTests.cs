using System.Text.Json;

namespace ChaosTests;

/// <summary>An election whose roles are separate processes with their log in Kafka.</summary>
[Collection(OnKafka.Name)]
public sealed class KafkaElectionTests(KafkaSite kafka)
{
    private const int Voters = 60;

    private readonly Site _site = kafka.Site;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Roles_in_separate_processes_hold_an_election_to_its_signed_result()
    {
        var election = await _site.PublishAsync();
        await Site.KnowsAsync(_site.First, election.Id);
        await _site.CastAsync(election, Voters);

        Assert.Equal(Voters, await StreamedAsync(election, Voters));
        await _site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        JsonElement result = default;
        await Until.HoldsAsync("the result is final", async () =>
        {
            result = await _site.StaffAsync(HttpMethod.Get, $"/v1/internal/surveys/{election.Id}/results", null);
            return result.GetProperty("status").GetString() == "final";
        });

        var ledger = await _site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
        // One fence in every partition.
        Assert.Equal(16, ledger.Records.Count(record => record.Key.Length == 0));
    }

    [Fact]
    public async Task A_consumer_killed_while_ballots_come_counts_none_twice_and_leaves_none_out()
    {
        var election = await _site.PublishAsync();
        for (var round = 0; round < 2; round++)
        {
            var casting = _site.CastAsync(election, Voters);
            await Until.HoldsAsync("some are counted", async () =>
                (await Promises.RecountAsync(_site, election)).Ballots > round * Voters);
            await _site.Consumer.KillAsync();
            await _site.StartConsumerAsync();
            await casting;
        }

        var ledger = await _site.AssertKeptAsync(election);
        Assert.Equal(2 * Voters, ledger.Count(election, "counted"));
        Assert.True(await _site.Consumer.TerminateAsync(Cancel) == 0, _site.Consumer.LastOutput);
    }

    [Fact]
    public async Task A_consumer_paused_for_longer_than_its_session_changes_nothing_when_it_goes_on()
    {
        var election = await _site.PublishAsync();
        await _site.CastAsync(election, Voters);
        await using var zombie = _site.Consumer;
        var casting = _site.CastAsync(election, Voters);
        await Until.HoldsAsync("some more are counted", async () =>
            (await Promises.RecountAsync(_site, election)).Ballots > Voters);
        await zombie.PauseAsync();
        await _site.StartConsumerAsync();
        await casting;
        await _site.SettleAsync();
        zombie.Resume();
        await _site.CastAsync(election, Voters);

        var ledger = await _site.AssertKeptAsync(election);
        Assert.Equal(3 * Voters, ledger.Count(election, "counted"));
        // Paused within a transaction it has lost that to the server, which ends a process: in order, all the same.
        var code = zombie.HasExited ? await zombie.WaitForExitAsync(Cancel) : await zombie.TerminateAsync(Cancel);
        Assert.True(code is 0 or 1, $"{code}: {zombie.LastOutput}");
    }

    [Fact]
    public async Task An_api_process_killed_while_it_accepts_loses_nothing_that_it_acknowledged()
    {
        var election = await _site.PublishAsync();
        var voters = await _site.VotersAsync(Voters);
        var casting = voters.Select((voter, i) => election.CastUntilKnownAsync(
            () => i % 2 == 0 && !_site.Second.HasExited ? _site.Second : _site.First, voter, 1 + i)).ToArray();
        await _site.Second.KillAsync();
        var answers = await Task.WhenAll(casting);

        Assert.All(answers, answer => Assert.True(answer.IsAccepted, answer.Body));
        await _site.StartSecondAsync();
        await Site.KnowsAsync(_site.Second, election.Id);
        var ledger = await _site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }

    /// <returns>The ballots that the stream has shown, once it shows so many.</returns>
    private async Task<long> StreamedAsync(Election election, long atLeast)
    {
        await Site.KnowsResultsAsync(kafka.Streams, election.Id);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(Until.Deadline);
        await using var stream = await kafka.Streams.Public.GetStreamAsync(
            $"/v1/surveys/{election.Id}/results/stream", deadline.Token);
        using var lines = new StreamReader(stream);
        while (await lines.ReadLineAsync(deadline.Token) is { } line)
        {
            if (!line.StartsWith("data:", StringComparison.Ordinal)) continue;
            var frame = JsonElement.Parse(line["data:".Length..]);
            if (frame.TryGetProperty("totalResponses", out var total) && total.GetInt64() >= atLeast)
                return total.GetInt64();
        }

        return -1;
    }
}
