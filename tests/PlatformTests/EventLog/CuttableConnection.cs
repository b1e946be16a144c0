using System.Net;
using System.Net.Sockets;

namespace PlatformTests;

/// <summary>Stands between a log and its server on loopback, so that a test can part the two.</summary>
internal sealed class CuttableConnection : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly List<TcpClient> _clients = [];
    private readonly Lock _lock = new();
    private readonly string _host;
    private readonly int _port;
    private readonly Task _accepting;
    private volatile bool _isSilenced;
    private bool _isCut;

    public CuttableConnection(string host, int port)
    {
        (_host, _port) = (host, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Ends all connections, and every new one at once.</summary>
    public void Cut()
    {
        lock (_lock)
        {
            _isCut = true;
            foreach (var client in _clients) client.Dispose();
            _clients.Clear();
        }
    }

    /// <summary>Keeps what the server answers from now on to itself; what it is asked still arrives.</summary>
    public void Silence() => _isSilenced = true;

    /// <summary>Undoes both. Connections with answers missing end: no later answer could be told from those.</summary>
    public void Mend()
    {
        var wasSilenced = _isSilenced;
        if (wasSilenced) Cut();
        _isSilenced = false;
        lock (_lock) _isCut = false;
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _end.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_end.Token);
                var server = new TcpClient { NoDelay = true };
                client.NoDelay = true;
                lock (_lock)
                {
                    _clients.AddRange([client, server]);
                    if (_isCut) client.Dispose();
                }

                _ = PumpAsync(client, server);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Closed: that is how it ends.
        }
    }

    private async Task AnswerAsync(NetworkStream from, NetworkStream to)
    {
        var answer = new byte[64 * 1024];
        while (await from.ReadAsync(answer, _end.Token) is > 0 and var length)
        {
            if (!_isSilenced) await to.WriteAsync(answer.AsMemory(0, length), _end.Token);
        }
    }

    private async Task PumpAsync(TcpClient client, TcpClient server)
    {
        using (client)
        using (server)
        {
            try
            {
                await server.ConnectAsync(_host, _port, _end.Token);
                await Task.WhenAny(
                    client.GetStream().CopyToAsync(server.GetStream(), _end.Token),
                    AnswerAsync(server.GetStream(), client.GetStream()));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or IOException
                or ObjectDisposedException or InvalidOperationException)
            {
                // Parted: that is what it is for.
            }
        }
    }
}
