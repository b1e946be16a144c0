using System.Net.Sockets;
using System.Text;

namespace ResultsTests;

/// <summary>A stream keeps the connection that its request came in by.</summary>
public sealed class KeptConnectionTests
{
    private const string Get = "GET /v1/surveys/1/results/stream";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_connection_serves_other_requests_until_a_stream_keeps_it()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey().Final(version: 10, votes: 10);
        using var socket = await SendAsync(
            site, $"GET /v1/surveys/1/results HTTP/1.1\r\nHost: a\r\n\r\n{Get} HTTP/1.1\r\nHost: a\r\n\r\n");

        var said = await ReadToEndAsync(socket);

        Assert.Equal(2, said.Split("HTTP/1.1 200 OK").Length - 1);
        Assert.Contains("Connection: close\r\n", said, StringComparison.Ordinal);
        Assert.EndsWith("\r\n0\r\n\r\n", said, StringComparison.Ordinal);
        await Site.UntilAsync(() => site.Count("results.connections") == 0);
    }

    [Fact]
    public async Task A_reader_of_HTTP_1_0_gets_the_events_without_chunks()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey().Final(version: 10, votes: 10);
        using var socket = await SendAsync(site, $"{Get} HTTP/1.0\r\n\r\n");

        var said = await ReadToEndAsync(socket);

        var body = said[(said.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        Assert.StartsWith("retry: 2000\n\n", body, StringComparison.Ordinal);
        Assert.EndsWith("}\n\n", body, StringComparison.Ordinal);
        Assert.DoesNotContain("Transfer-Encoding", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_reader_sends_beside_its_request_is_not_heaped_up()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var socket = await SendAsync(site, $"{Get} HTTP/1.1\r\nHost: a\r\n\r\n");
        await Site.UntilAsync(() => site.Count("results.frames.written") == 1);

        await socket.SendAsync(Encoding.ASCII.GetBytes($"{Get} HTTP/1.1\r\nHost: a\r\n\r\n"), Cancel);

        await Site.UntilAsync(() => site.Count("results.connections") == 0);
    }

    [Fact]
    public async Task A_stream_holds_nothing_of_its_request()
    {
        const int Readers = 50;
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        var readers = new List<EventStream>();
        for (var i = 0; i < Readers; i++) readers.Add(await EventStream.AskAsync(site));
        await Site.UntilAsync(() => site.Count("results.frames.written") == Readers);

        await Site.UntilAsync(() =>
        {
            GC.Collect();
            return site.Requests.All(request => !request.TryGetTarget(out _));
        });

        Assert.Equal(Readers, site.Requests.Count);
        Assert.Equal(Readers, site.Count("results.connections"));
        readers.ForEach(reader => reader.Dispose());
    }

    private static async Task<Socket> SendAsync(Site site, string request)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(site.Address, Cancel);
        await socket.SendAsync(Encoding.ASCII.GetBytes(request), Cancel);
        return socket;
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        await using var bytes = new NetworkStream(socket);
        using var reader = new StreamReader(bytes, Encoding.ASCII);
        return await reader.ReadToEndAsync(Cancel).WaitAsync(Site.Patience, Cancel);
    }
}
