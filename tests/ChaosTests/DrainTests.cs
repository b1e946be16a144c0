using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Testing;

namespace ChaosTests;

/// <summary>Processes that are told to end (SIGTERM) with all hands full.</summary>
[Collection(AcceptingSite.Name)]
public sealed class DrainTests(Site site)
{
    private const int Streams = 3_000;
    private const int Clients = 16;

    private static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task With_thousands_of_streams_and_ballots_in_flight_it_ends_in_time_and_keeps_its_word()
    {
        var election = await site.PublishAsync();
        await using var leaving = await site.Installation.StartHostAsync(
            "api,sse",
            new Dictionary<string, string> { ["Results__ConnectionCountPerAddressMax"] = $"{Streams}" },
            TestContext.Current.CancellationToken);
        await Site.KnowsAsync(leaving, election.Id);
        var voters = await site.VotersAsync(400);
        var streams = await OpenStreamsAsync(leaving, election.Id);
        var reading = streams.Select(ReadToEndAsync).ToArray();

        using var go = new SemaphoreSlim(0);
        var answers = new Answer[voters.Count];
        var answered = 0;
        var clients = Enumerable.Range(0, Clients).Select(async client =>
        {
            for (var i = client; i < voters.Count; i += Clients)
            {
                answers[i] = await election.CastAsync(leaving, voters[i], 1 + i % 255);
                if (Interlocked.Increment(ref answered) == 2 * Clients) go.Release();
            }
        }).ToArray();
        Assert.True(await go.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken));
        var (code, took) = await EndAsync(leaving);
        await Task.WhenAll(clients);

        Assert.Equal(0, code);
        Assert.True(took < DrainMax, $"It took {took}.");
        Assert.True(answers.Any(answer => answer.Status == 0), "It ended when all was done already.");
        Assert.All(answers, answer => Assert.Contains(answer.Status, new[] { 0, 202, 503 }));
        // Each stream was ended, none broken off.
        var ends = await Task.WhenAll(reading);
        Assert.All(ends, end => Assert.EndsWith("0\r\n\r\n", end, StringComparison.Ordinal));
        foreach (var stream in streams) stream.Dispose();

        var ledger = await site.AssertKeptAsync(election);
        Assert.InRange(ledger.Count(election, "counted"), answers.Count(answer => answer.Status == 202), voters.Count);
        for (var i = 0; i < voters.Count; i++)
        {
            var again = await election.CastUntilKnownAsync(() => site.First, voters[i], 1 + i % 255);
            if (answers[i].Status == 202) Assert.Equal(new Answer(200, answers[i].Body), again);
        }

        await site.AssertKeptAsync(election);
    }

    [Fact]
    public async Task With_ballots_that_the_log_does_not_take_it_ends_in_time_and_has_acknowledged_none_of_them()
    {
        var election = await site.PublishAsync();
        await using var leaving = await site.Installation.StartHostAsync(
            "api", cancel: TestContext.Current.CancellationToken);
        await Site.KnowsAsync(leaving, election.Id);
        var voters = await site.VotersAsync(40);
        // An append of the consumer's that broke off with the ballots' would end it, as it should.
        await Until.HoldsAsync("no fence is on its way", NoFenceIsOnItsWayAsync);
        Task<Answer>[] casts;
        await using (var held = await HeldLock.TakeAsync(
            site.Database, "SELECT FROM platform.log_partitions WHERE topic = 'votes' FOR UPDATE"))
        {
            casts = [.. voters.Select(voter => election.CastAsync(leaving, voter, 3))];
            await Until.HoldsAsync("ballots are being appended", async () => (await held.HeldAsync()).Length > 0);
            var (code, took) = await EndAsync(leaving);
            // In order: it was not ended in the midst of what it waits for.
            Assert.Equal(0, code);
            Assert.True(took < DrainMax, $"It took {took}.");
            await held.EndHeldAsync();
        }

        Assert.All(await Task.WhenAll(casts), answer => Assert.Contains(answer.Status, new[] { 0, 503 }));
        foreach (var voter in voters)
            Assert.True((await election.CastUntilKnownAsync(() => site.First, voter, 3)).IsAccepted);
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
    }

    [Fact]
    public async Task A_consumer_that_is_told_to_end_leaves_its_partitions_to_others_at_once()
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, 60);
        await using var leaving = site.Consumer;
        var (code, took) = await EndAsync(leaving);
        Assert.Equal(0, code);
        Assert.True(took < DrainMax, $"It took {took}.");
        Assert.Equal(0, await site.ReadAsync<long>(
            "SELECT count(*) FROM platform.log_members WHERE group_name = 'count'"));

        await site.StartConsumerAsync();
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(60, ledger.Count(election, "counted"));
    }

    private async Task<bool> NoFenceIsOnItsWayAsync()
    {
        var closing = await site.ReadAsync<int[]>(
            "SELECT coalesce(array_agg(id), '{}') FROM voting.surveys WHERE status = 'closing'");
        var fences = (await LogTables.ReadAsync(site.Database, "votes")).Select(VoteEvent.Read)
            .Where(read => read is { Type: "survey.closed" }).ToLookup(fence => fence!.Survey);
        return closing.All(survey => fences[survey].Count() >= 16);
    }

    private static async Task<(int Code, TimeSpan Took)> EndAsync(HostProcess host)
    {
        var began = Stopwatch.GetTimestamp();
        var code = await host.TerminateAsync(TestContext.Current.CancellationToken);
        return (code, Stopwatch.GetElapsedTime(began));
    }

    private static async Task<IReadOnlyList<Socket>> OpenStreamsAsync(HostProcess at, string survey)
    {
        var request = Encoding.ASCII.GetBytes(
            $"GET /v1/surveys/{survey}/results/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
        var address = at.Public.BaseAddress!;
        var streams = new List<Socket>();
        foreach (var some in Enumerable.Range(0, Streams).Chunk(100))
        {
            streams.AddRange(await Task.WhenAll(some.Select(async _ =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(address.Host, address.Port);
                await socket.SendAsync(request);
                return socket;
            })));
        }

        return streams;
    }

    private static async Task<string> ReadToEndAsync(Socket stream)
    {
        var text = new StringBuilder();
        var bytes = new byte[4096];
        while (await stream.ReceiveAsync(bytes) is > 0 and var count)
            text.Append(Encoding.UTF8.GetString(bytes, 0, count));
        return text.ToString();
    }
}
