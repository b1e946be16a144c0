using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PlatformTests;

/// <summary>
/// Stands between one log and all its brokers on loopback, so that a test can part the two. Brokers tell clients where
/// the others are: in their answers each broker's port is replaced by that of its door here.
/// </summary>
internal sealed class KafkaConnection : IAsyncDisposable
{
    private const int FrameSizeBytesMax = 128 * 1024 * 1024;

    private readonly List<Door> _doors = [];
    private readonly CancellationTokenSource _end = new();
    private readonly List<TcpClient> _clients = [];
    private readonly Lock _lock = new();
    private volatile bool _isCut;
    private volatile bool _isSilenced;

    /// <param name="brokers"><c>host:port</c> of every broker, as brokers themselves say it.</param>
    public KafkaConnection(IEnumerable<string> brokers)
    {
        foreach (var broker in brokers)
        {
            var at = broker.LastIndexOf(':');
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var (host, port) = (broker[..at], int.Parse(broker[(at + 1)..]));
            _doors.Add(new(listener, host, port, ((IPEndPoint)listener.LocalEndpoint).Port));
        }

        foreach (var door in _doors) _ = AcceptAsync(door);
    }

    public string Bootstraps => string.Join(',', _doors.Select(door => $"127.0.0.1:{door.Own}"));

    /// <summary>Ends all connections, and every new one at once.</summary>
    public void Cut()
    {
        _isCut = true;
        End();
    }

    /// <summary>Keeps what brokers answer from now on to itself; what they are asked still arrives.</summary>
    public void Silence() => _isSilenced = true;

    /// <summary>Undoes both. Connections with answers missing end: no later answer could be told from those.</summary>
    public void Mend()
    {
        (_isCut, _isSilenced) = (false, false);
        End();
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _end.CancelAsync();
        foreach (var door in _doors) door.Listener.Dispose();
        _end.Dispose();
    }

    private void End()
    {
        lock (_lock)
        {
            foreach (var client in _clients) client.Dispose();
            _clients.Clear();
        }
    }

    private async Task AcceptAsync(Door door)
    {
        try
        {
            while (true)
            {
                var client = await door.Listener.AcceptTcpClientAsync(_end.Token);
                var server = new TcpClient { NoDelay = true };
                client.NoDelay = true;
                lock (_lock)
                {
                    _clients.AddRange([client, server]);
                    if (_isCut) client.Dispose();
                }

                _ = PumpAsync(door, client, server);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Closed: that is how it ends.
        }
    }

    private async Task PumpAsync(Door door, TcpClient client, TcpClient server)
    {
        using (client)
        using (server)
        {
            try
            {
                await server.ConnectAsync(door.Host, door.Port, _end.Token);
                await await Task.WhenAny(
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

    /// <summary>Passes answers on, frame by frame: four bytes of length, then so many.</summary>
    private async Task AnswerAsync(NetworkStream from, NetworkStream to)
    {
        var head = new byte[sizeof(int)];
        while (true)
        {
            await from.ReadExactlyAsync(head, _end.Token);
            var length = BinaryPrimitives.ReadInt32BigEndian(head);
            if (length is < 0 or > FrameSizeBytesMax) throw new IOException("Not a frame.");
            var frame = new byte[sizeof(int) + length];
            head.CopyTo(frame, 0);
            await from.ReadExactlyAsync(frame.AsMemory(sizeof(int)), _end.Token);
            if (_isSilenced) continue;
            foreach (var door in _doors) door.Replace(frame);
            await to.WriteAsync(frame, _end.Token);
        }
    }

    private sealed record Door(TcpListener Listener, string Host, int Port, int Own)
    {
        /// <summary>Wherever the broker's address stands, its port becomes ours; the length stays.</summary>
        public void Replace(Span<byte> frame)
        {
            Span<byte> address = new byte[Host.Length + sizeof(int)];
            Encoding.ASCII.GetBytes(Host, address);
            BinaryPrimitives.WriteInt32BigEndian(address[Host.Length..], Port);
            for (int at; (at = frame.IndexOf(address)) >= 0; frame = frame[(at + address.Length)..])
                BinaryPrimitives.WriteInt32BigEndian(frame[(at + Host.Length)..], Own);
        }
    }
}
