using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace ResultsTests;

/// <summary>
/// A reader of one stream over a socket of its own, as exact as a test needs: blocks are given back as they came.
/// </summary>
internal sealed class EventStream : IDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _bytes;
    private readonly StringBuilder _body = new();

    private EventStream(Socket socket)
    {
        _socket = socket;
        _bytes = new(socket, ownsSocket: true);
    }

    public HttpStatusCode Status { get; private set; }

    /// <summary>The response's headers, by name in lower case.</summary>
    public Dictionary<string, string> Headers { get; } = [];

    /// <summary>Sends the request, and reads nothing.</summary>
    public static async Task<EventStream> AskAsync(
        Site site, int survey = 1, string? headers = null, int? receiveBufferSizeBytes = null,
        IPAddress? from = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBufferSizeBytes is { } size) socket.ReceiveBufferSize = size;
        if (from is not null) socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(site.Address);
        var stream = new EventStream(socket);
        await stream._bytes.WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /v1/surveys/{survey}/results/stream HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
        return stream;
    }

    /// <summary>Sends the request and reads the head of the answer.</summary>
    public static async Task<EventStream> OpenAsync(
        Site site, int survey = 1, string? headers = null, IPAddress? from = null)
    {
        var stream = await AskAsync(site, survey, headers, from: from);
        await stream.ReadHeadAsync();
        return stream;
    }

    public async Task ReadHeadAsync()
    {
        Status = (HttpStatusCode)int.Parse((await LineAsync()).Split(' ')[1]);
        while (await LineAsync() is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            Headers[line[..colon].ToLowerInvariant()] = line[(colon + 1)..].Trim();
        }
    }

    /// <returns>The next block as it came, without the blank line; null when the stream has ended.</returns>
    public async Task<string?> NextAsync()
    {
        while (true)
        {
            var text = _body.ToString();
            var end = text.IndexOf("\n\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                _body.Remove(0, end + 2);
                return text[..end];
            }

            if (!await ReadChunkAsync())
            {
                Assert.Equal("", text);
                return null;
            }
        }
    }

    /// <summary>Reads blocks up to the next tally and past it.</summary>
    /// <returns>Its data.</returns>
    public async Task<JsonElement> TallyAsync()
    {
        while (true)
        {
            var block = await NextAsync() ?? throw new InvalidOperationException("The stream has ended.");
            if (block.Contains("event: tally", StringComparison.Ordinal)) return Data(block);
        }
    }

    /// <returns>The next blocks; "(the end)" in place of those that did not come.</returns>
    public async Task<string[]> BlocksAsync(int count)
    {
        var blocks = new string[count];
        for (var i = 0; i < count; i++) blocks[i] = await NextAsync() ?? "(the end)";
        return blocks;
    }

    public static JsonElement Data(string block) => JsonDocument.Parse(
        block.Split('\n').Single(line => line.StartsWith("data: ", StringComparison.Ordinal))[6..]).RootElement;

    /// <summary>
    /// Goes without a word, as a phone does that loses its network: no more is read, the connection is reset.
    /// </summary>
    public void Vanish()
    {
        _socket.LingerState = new(true, 0);
        _socket.Close();
    }

    public void Dispose() => _bytes.Dispose();

    private async Task<bool> ReadChunkAsync()
    {
        var size = Convert.ToInt32(await LineAsync(), 16);
        var chunk = new byte[size + 2];
        await ReadAsync(chunk);
        _body.Append(Encoding.UTF8.GetString(chunk, 0, size));
        return size > 0;
    }

    private async Task<string> LineAsync()
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (true)
        {
            await ReadAsync(one);
            if (one[0] == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)one[0]);
        }
    }

    private async Task ReadAsync(byte[] bytes)
    {
        using var deadline = new CancellationTokenSource(Site.Patience);
        await _bytes.ReadExactlyAsync(bytes, deadline.Token);
    }
}
