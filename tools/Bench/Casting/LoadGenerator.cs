using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Bench;

/// <summary>
/// Sends requests that were written beforehand over connections that stay open, and reads of each answer no more than
/// it must: it shares the machine with what it measures.
/// </summary>
internal sealed class LoadGenerator : IDisposable
{
    private const int AnswerSizeBytesMax = 16 * 1024;

    private readonly List<Socket> _sockets;

    private LoadGenerator(List<Socket> sockets) => _sockets = sockets;

    public static async Task<LoadGenerator> ConnectAsync(Uri to, int connections, CancellationToken cancel)
    {
        var sockets = new List<Socket>(connections);
        for (var i = 0; i < connections; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, to.Port), cancel);
            sockets.Add(socket);
        }

        return new(sockets);
    }

    /// <summary>Sends every request once; a connection sends its next one when it has the last answer.</summary>
    /// <param name="requests">Whole requests.</param>
    /// <param name="perSecond">The pace at which they fall due; null sends as fast as answers come.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="BrokenOffException">A request was not answered by success.</exception>
    public async Task<Load> RunAsync(
        IReadOnlyList<byte[]> requests, double? perSecond, CancellationToken cancel)
    {
        var (sent, answered) = (new long[requests.Count], new long[requests.Count]);
        var next = -1;
        var begun = Stopwatch.GetTimestamp();
        await Task.WhenAll(_sockets.Select(socket => Task.Run(() => SendAsync(socket), cancel)));
        return new(begun, sent, answered);

        async Task SendAsync(Socket socket)
        {
            var buffer = new byte[AnswerSizeBytesMax];
            for (var i = Interlocked.Increment(ref next); i < requests.Count; i = Interlocked.Increment(ref next))
            {
                if (perSecond is { } pace)
                {
                    var due = TimeSpan.FromSeconds(i / pace) - Stopwatch.GetElapsedTime(begun);
                    if (due > TimeSpan.Zero) await Task.Delay(due, cancel);
                }

                sent[i] = Stopwatch.GetTimestamp();
                await socket.SendAsync(requests[i], cancel);
                var length = 0;
                do
                {
                    var received = await socket.ReceiveAsync(buffer.AsMemory(length), cancel);
                    if (received == 0) throw new BrokenOffException("The server closed a connection under load.");
                    length += received;
                }
                while (!IsWhole(buffer.AsSpan(0, length)));

                answered[i] = Stopwatch.GetTimestamp();
                if (buffer[9] != '2')
                {
                    throw new BrokenOffException(
                        "A request was refused: " + System.Text.Encoding.UTF8.GetString(buffer.AsSpan(0, length)));
                }
            }
        }
    }

    public void Dispose()
    {
        foreach (var socket in _sockets) socket.Dispose();
    }

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0) return false;
        var length = answer[..head].IndexOf("Content-Length: "u8);
        if (length < 0) return answer.EndsWith("\r\n0\r\n\r\n"u8);
        var digits = answer[(length + "Content-Length: ".Length)..head];
        var size = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9') break;
            size = size * 10 + digit - '0';
        }

        return answer.Length >= head + 4 + size;
    }
}

/// <summary>What a load saw. Timestamps are <see cref="Stopwatch"/>'s.</summary>
/// <param name="Begun">When it began.</param>
/// <param name="Sent">When each request was sent.</param>
/// <param name="Answered">When its answer was there.</param>
internal sealed record Load(long Begun, long[] Sent, long[] Answered)
{
    public double Seconds => Stopwatch.GetElapsedTime(Begun, Answered.Max()).TotalSeconds;

    public double PerSecond => Sent.Length / Seconds;

    /// <summary>From sending to the answer, ascending.</summary>
    public double[] Milliseconds =>
        [.. Sent.Zip(Answered, (from, to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds).Order()];
}
