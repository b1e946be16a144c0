using System.Net;
using System.Net.Sockets;
using System.Text;
using Testing;

namespace EndToEndTests;

/// <summary>Clients that take room and do nothing with it: they take none from those who vote.</summary>
public sealed class SlowPeerTests(Site site)
{
    private const int BodyCountMax = 100;
    private static readonly IPAddress Elsewhere = IPAddress.Parse("127.0.0.2");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Bodies_that_never_come_take_no_place_of_others_and_end_by_themselves()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        // All requests that may be under way would wait for bodies, if those were counted among them.
        await using var host = await site.Installation.StartHostAsync("api", new Dictionary<string, string>
        {
            ["Voting__Reservations"] = "in-process",
            ["Http__RequestCountMax"] = "10",
            ["Http__RequestBodyCountMax"] = $"{BodyCountMax}",
            ["Http__RequestBodyTimeout"] = "00:00:20",
        }, Cancel);
        var dead = new List<Socket>();
        try
        {
            for (var i = 0; i < BodyCountMax / 10; i++) dead.Add(await SendHeadAsync(host, survey, Elsewhere));
            // The first that is one too many is told so, as soon as those before it have been taken in.
            await Site.EventuallyAsync(async () =>
            {
                dead.Add(await SendHeadAsync(host, survey, Elsewhere));
                return (await AnswerAsync(dead[^1], TimeSpan.FromSeconds(2))).StartsWith(
                    "HTTP/1.1 503", StringComparison.Ordinal);
            });

            (await new Door(host.Public).PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0))).Is(202);
            Assert.StartsWith("HTTP/1.1 408", await AnswerAsync(dead[0], Site.Patience), StringComparison.Ordinal);
        }
        finally
        {
            foreach (var socket in dead) socket.Dispose();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_that_comes_in_pieces_is_taken(bool chunked)
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var ballot = survey.Ballot(0);
        using var socket = NewSocket(null);
        await socket.ConnectAsync(IPAddress.Loopback, site.Public.Address.Port, Cancel);
        var framing = chunked ? "Transfer-Encoding: chunked" : $"Content-Length: {ballot.Length}";
        await SayAsync(socket, $"POST {survey.Votes} HTTP/1.1\r\nHost: {site.Public.Address.Authority}\r\n"
            + $"Authorization: Bearer {voter.AccessToken}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n");
        foreach (var piece in ballot.Chunk(1 + (ballot.Length / 5)))
        {
            await Task.Delay(50, Cancel);
            var text = new string(piece);
            await SayAsync(socket, chunked ? $"{piece.Length:x}\r\n{text}\r\n" : text);
        }

        if (chunked) await SayAsync(socket, "0\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 202", await AnswerAsync(socket, Site.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_idle_connections_than_it_may_open_files_do_not_end_it()
    {
        const int OpenFilesMax = 1_000;
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        await using var host = await site.Installation.StartHostAsync("api", new Dictionary<string, string>
        {
            ["Voting__Reservations"] = "in-process",
        }, OpenFilesMax, Cancel);
        var idle = new List<Socket>();
        try
        {
            // As fast as can be: the server closes what is too much after it has taken it.
            for (var i = 0; i < 4 * OpenFilesMax; i += 100)
            {
                var more = Enumerable.Range(0, 100).Select(_ => NewSocket(Elsewhere)).ToArray();
                idle.AddRange(more);
                await Task.WhenAll(more.Select(socket => socket.ConnectAsync(
                    IPAddress.Loopback, host.Public.BaseAddress!.Port, Cancel).AsTask()));
            }

            using var health = await host.Management.GetAsync("/health/ready", Cancel);
            Assert.Equal(HttpStatusCode.OK, health.StatusCode);
            // What was too much has been closed.
            await Site.EventuallyAsync(() => Task.FromResult(idle.Any(IsClosed)));
        }
        finally
        {
            foreach (var socket in idle) socket.Dispose();
        }

        await Site.EventuallyAsync(async () =>
        {
            try
            {
                var answer = await new Door(host.Public).PostAsync(
                    survey.Votes, voter.AccessToken, survey.Ballot(0));
                return answer.Status is 200 or 202;
            }
            catch (HttpRequestException)
            {
                // It has not noticed yet that the connections are gone.
                return false;
            }
        });
        Assert.False(host.HasExited, host.LastOutput);
    }

    private static Socket NewSocket(IPAddress? from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (from is not null) socket.Bind(new IPEndPoint(from, 0));
        return socket;
    }

    private static async Task<Socket> SendHeadAsync(HostProcess host, SampleSurvey survey, IPAddress from)
    {
        var socket = NewSocket(from);
        await socket.ConnectAsync(IPAddress.Loopback, host.Public.BaseAddress!.Port, Cancel);
        await SayAsync(socket, $"POST {survey.Votes} HTTP/1.1\r\nHost: {host.Public.BaseAddress.Authority}\r\n"
            + "Content-Type: application/json\r\nContent-Length: 2000\r\n\r\n{");
        return socket;
    }

    private static async Task SayAsync(Socket socket, string text) =>
        await socket.SendAsync(Encoding.ASCII.GetBytes(text), Cancel);

    /// <returns>The beginning of what was answered; nothing if it did not come in time.</returns>
    private static async Task<string> AnswerAsync(Socket socket, TimeSpan patience)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        late.CancelAfter(patience);
        var bytes = new byte[64];
        try
        {
            return Encoding.ASCII.GetString(bytes, 0, await socket.ReceiveAsync(bytes, late.Token));
        }
        catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
        {
            return "";
        }
    }

    private static bool IsClosed(Socket socket) =>
        socket.Poll(TimeSpan.Zero, SelectMode.SelectRead) && socket.Available == 0;
}
