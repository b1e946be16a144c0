using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace ChaosTests;

/// <summary>Connections that never read, and requests whose bodies never come: they slow nobody else.</summary>
[Collection(RacesSite.Name)]
public sealed class SlowPeersTests(Site site)
{
    private const int Peers = 40;
    private const int Voters = 60;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Readers_that_stall_and_bodies_that_never_come_slow_nobody_else()
    {
        await using var sse = await site.Installation.StartHostAsync("sse", cancel: Cancel);
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(Voters + 1);
        HttpResponseMessage? opened = null;
        await Until.HoldsAsync("the stream is there", async () =>
        {
            opened?.Dispose();
            opened = await sse.Public.GetAsync(
                $"/v1/surveys/{election.Id}/results/stream", HttpCompletionOption.ResponseHeadersRead, Cancel);
            return opened.IsSuccessStatusCode;
        });
        using var quick = opened!;
        using var lines = new StreamReader(await quick.Content.ReadAsStreamAsync(Cancel));
        var stalled = new List<Socket>();
        var dead = new List<Socket>();
        try
        {
            for (var i = 0; i < Peers; i++)
            {
                stalled.Add(await StallAsync(sse.Public.BaseAddress!, election));
                dead.Add(await SendHeadAsync(site.First.Public.BaseAddress!, election, voters[Voters].AccessToken));
            }

            var answers = await Task.WhenAll(voters.Take(Voters).Select(
                (voter, i) => election.CastAsync(site.First, voter, 1 + i)));
            Assert.All(answers, answer => Assert.Equal(202, answer.Status));
            await ShowsAsync(lines, Voters);
            // All that time they were there, and nothing was said to those whose ballot has not come.
            Assert.All(stalled, socket => Assert.True(IsOpen(socket), "A stalled reader was gone too soon."));
            Assert.Contains(dead, IsOpen);
        }
        finally
        {
            foreach (var socket in stalled.Concat(dead)) socket.Dispose();
        }

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }

    /// <summary>Asks for the stream, reads what proves that it began, and nothing more.</summary>
    private static async Task<Socket> StallAsync(Uri at, Election election)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 2_048 };
        await socket.ConnectAsync(IPAddress.Loopback, at.Port, Cancel);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /v1/surveys/{election.Id}/results/stream HTTP/1.1\r\nHost: {at.Authority}\r\n\r\n"), Cancel);
        var first = new byte[12];
        Assert.Equal(12, await socket.ReceiveAsync(first, Cancel));
        Assert.Equal("HTTP/1.1 200", Encoding.ASCII.GetString(first));
        return socket;
    }

    private static async Task<Socket> SendHeadAsync(Uri at, Election election, string token)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, at.Port, Cancel);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/surveys/{election.Id}/votes HTTP/1.1\r\nHost: {at.Authority}\r\n"
            + $"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            + "Content-Length: 200\r\n\r\n{"), Cancel);
        return socket;
    }

    private static bool IsOpen(Socket socket) =>
        !socket.Poll(TimeSpan.Zero, SelectMode.SelectRead) || socket.Available > 0;

    private static async Task ShowsAsync(StreamReader lines, long ballots)
    {
        while (await lines.ReadLineAsync(Cancel) is { } line)
        {
            if (!line.StartsWith("data:", StringComparison.Ordinal)) continue;
            if (JsonElement.Parse(line["data:".Length..]).TryGetProperty("totalResponses", out var total)
                && total.GetInt64() == ballots)
            {
                return;
            }
        }

        Assert.Fail($"The stream ended before it showed {ballots} ballots.");
    }
}
