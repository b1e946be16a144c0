using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Bench;

/// <summary>Many readers of live results in a process of their own, who notice when all of them have a frame.</summary>
internal static class Readers
{
    public const string Verb = "read-frames";

    private const int ChunkSizeBytesMax = 4 * 1024;
    private const int ConnectingMax = 64;

    /// <summary>
    /// Says <c>all</c> with the time of the first and the last arrival and the frame, each time that every reader has
    /// got one more. Ends with standard input.
    /// </summary>
    public static async Task<int> RunAsync(int count, int port, string path)
    {
        using var stop = new CancellationTokenSource();
        var round = new Round(count);
        var request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        var reading = new List<Task>(count);
        foreach (var some in Enumerable.Range(0, count).Chunk(ConnectingMax))
        {
            await Task.WhenAll(some.Select(async _ =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), stop.Token);
                await socket.SendAsync(request, stop.Token);
                lock (reading) reading.Add(ReadAsync(socket, round, stop.Token));
            }));
        }

        var ended = Console.In.ReadToEndAsync(stop.Token);
        // A reader that is turned away, or loses its stream, is the end of all.
        var failed = await Task.WhenAny([ended, .. reading]);
        await stop.CancelAsync();
        await failed;
        return failed == ended ? 0 : 1;
    }

    private static async Task ReadAsync(Socket socket, Round round, CancellationToken stop)
    {
        using var owned = socket;
        var chunk = new byte[ChunkSizeBytesMax];
        while (await socket.ReceiveAsync(chunk, stop) is > 0 and var length)
        {
            var frame = chunk.AsSpan(0, length).IndexOf("id: "u8);
            if (frame >= 0) round.Arrived(chunk.AsSpan(frame, length - frame));
        }

        throw new IOException("A stream was ended by the server.");
    }

    /// <summary>One frame on its way to everybody.</summary>
    private sealed class Round(int count)
    {
        private readonly Lock _gate = new();
        private int _arrived;
        private long _first;

        public void Arrived(ReadOnlySpan<byte> frame)
        {
            var now = Stopwatch.GetTimestamp();
            lock (_gate)
            {
                if (_arrived++ == 0) _first = now;
                if (_arrived < count) return;
                _arrived = 0;
                // In chunks on the wire of one answer, the event ends where its empty line does.
                var end = frame.IndexOf("\n\n"u8);
                Console.WriteLine($"all {_first} {now} {Convert.ToBase64String(frame[..(end + 2)])}");
            }
        }
    }
}

/// <summary>What a process of readers says.</summary>
/// <param name="First">When the first reader had the frame; a timestamp that all processes share.</param>
/// <param name="Last">When the last one had.</param>
/// <param name="Frame">Its bytes.</param>
internal sealed record Arrival(long First, long Last, byte[] Frame)
{
    /// <summary>From the first reader to the last.</summary>
    public double Milliseconds => Stopwatch.GetElapsedTime(First, Last).TotalMilliseconds;

    public static Arrival? Read(string line) => line.Split(' ') is ["all", var first, var last, var frame]
        ? new(long.Parse(first, CultureInfo.InvariantCulture), long.Parse(last, CultureInfo.InvariantCulture),
            Convert.FromBase64String(frame))
        : null;
}
