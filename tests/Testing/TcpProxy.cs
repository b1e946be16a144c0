using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Testing;

/// <summary>
/// Stands between a client and a server on this machine, and does to their connections what networks do.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Socket, Socket> _pairs = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly int _to;
    private readonly Task _accepting;
    private volatile TaskCompletionSource _open = Completed();
    private long _heldBytes;

    /// <param name="to">The server's port on 127.0.0.1.</param>
    public TcpProxy(int to)
    {
        _to = to;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect to, on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>Bytes that are being held back: proof that somebody waits for them.</summary>
    public long HeldBytes => Interlocked.Read(ref _heldBytes);

    /// <summary>From now on no byte gets through, in neither direction; connections stay open.</summary>
    public void Hold() => _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets through what was held back, and everything after it.</summary>
    public void Release() => _open.TrySetResult();

    /// <summary>Resets every connection that there is; new ones get through.</summary>
    public void Reset()
    {
        foreach (var (client, server) in _pairs)
        {
            // No lingering: the other end gets a reset instead of an orderly end.
            client.Close(0);
            server.Close(0);
        }
    }

    /// <summary>Resets every connection and takes no more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Release();
        Reset();
        await _accepting;
        _stop.Dispose();
    }

    private static TaskCompletionSource Completed()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                client.NoDelay = true;
                _pairs[client] = server;
                _ = ForwardAsync(client, server);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // The listener was stopped, or one client was gone before it was taken.
            }
        }
    }

    private async Task ForwardAsync(Socket client, Socket server)
    {
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _to, _stop.Token);
            await Task.WhenAny(PumpAsync(client, server), PumpAsync(server, client));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The server does not listen: the client sees its connection end.
        }

        _pairs.TryRemove(client, out _);
        client.Close(0);
        server.Close(0);
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is var count and > 0)
            {
                Interlocked.Add(ref _heldBytes, count);
                await _open.Task;
                Interlocked.Add(ref _heldBytes, -count);
                await to.SendAsync(buffer.AsMemory(0, count));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }
}
