using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ToolTests;

/// <summary>
/// What the sandbox meets in place of the platform: answers a sign-in with the status that its turn has.
/// </summary>
internal sealed class ScriptedPlatform : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Func<int, int> _statusOf;
    private readonly Task _serving;
    private int _requests;

    /// <param name="statusOf">The status of the first request, the second, and so on.</param>
    public ScriptedPlatform(Func<int, int> statusOf)
    {
        _statusOf = statusOf;
        Address = $"http://127.0.0.1:{FreePort()}";
        _listener.Prefixes.Add($"{Address}/");
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Address { get; }

    public int Requests => _requests;

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
        _listener.Close();
    }

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            var turn = ++_requests;
            context.Response.StatusCode = _statusOf(turn);
            if (context.Response.StatusCode == 429) context.Response.AddHeader("Retry-After", "1");
            var body = context.Response.StatusCode == 200
                ? $$"""{ "accessToken": "a", "refreshToken": "r", "tokenType": "Bearer", "voterId": "{{turn}}" }"""
                : """{ "title": "Not now" }""";
            context.Response.ContentType = "application/json";
            context.Response.Close(Encoding.UTF8.GetBytes(body), willBlock: false);
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
