using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Bench;

/// <summary>One open stream, and when it showed how many ballots.</summary>
internal sealed class WatchedStream : IAsyncDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<(long At, long Ballots)> _seen = [];
    private Task _reading = Task.CompletedTask;

    public static async Task<WatchedStream> OpenAsync(Uri at, int survey, CancellationToken cancel)
    {
        var stream = new WatchedStream();
        await stream._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, at.Port), cancel);
        await stream._socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /v1/surveys/{survey}/results/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), cancel);
        stream._reading = stream.ReadAsync(stream._stop.Token);
        while (stream.Seen.Length == 0) await Task.Delay(20, cancel);
        return stream;
    }

    /// <summary>By time.</summary>
    public (long At, long Ballots)[] Seen
    {
        get
        {
            lock (_seen) return [.. _seen];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task ReadAsync(CancellationToken stop)
    {
        var chunk = new byte[16 * 1024];
        while (await _socket.ReceiveAsync(chunk, stop) is > 0 and var length)
        {
            var at = Stopwatch.GetTimestamp();
            var place = chunk.AsSpan(0, length).LastIndexOf("\"totalResponses\":"u8);
            if (place < 0) continue;
            var digits = chunk.AsSpan(place + "\"totalResponses\":".Length);
            if (!Utf8Parser.TryParse(digits, out long ballots, out _)) continue;
            lock (_seen) _seen.Add((at, ballots));
        }
    }
}
