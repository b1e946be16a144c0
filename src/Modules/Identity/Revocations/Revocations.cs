using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using Platform;

namespace Identity;

/// <summary>Tells every api process which sessions have ended. Layout of the topic: writer above reader.</summary>
internal sealed class Revocations(IEventLog log, RevokedTokens revoked, TimeProvider clock)
{
    /// <summary>Ended sessions; read whole by every api process before it takes requests.</summary>
    /// <remarks>Kept far longer than the 15 minutes for which an access token of an ended session could live.</remarks>
    public static readonly Topic Topic = new("revocations", 1, Retention: TimeSpan.FromDays(1), Compacted: true);

    private const string Type = "session.ended";

    /// <summary>From the return on this process refuses the sessions' tokens; the others do within seconds.</summary>
    /// <exception cref="AppendFailedException">This process refuses them; others may not have been told.</exception>
    public async Task PublishAsync(IReadOnlyList<byte[]> sessionIds, CancellationToken cancel)
    {
        if (sessionIds.Count == 0) return;
        var now = clock.GetUtcNow();
        foreach (var sessionId in sessionIds) revoked.RevokeSession(sessionId, now);
        await log.AppendAsync(
            new TopicPartition(Topic.Name, 0),
            [.. sessionIds.Select(sessionId => new LogRecord(sessionId, Bytes(sessionId, now)))], cancel);
    }

    private static ReadOnlyMemory<byte> Bytes(byte[] sessionId, DateTimeOffset at)
    {
        var text = Base64Url.EncodeToString(sessionId);
        var bytes = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(bytes);
        json.WriteStartObject();
        json.WriteString("specversion", "1.0");
        json.WriteString("id", $"{Type}/{text}");
        json.WriteString("source", "/identity");
        json.WriteString("type", Type);
        json.WriteString("time", at.UtcDateTime);
        json.WriteStartObject("data");
        json.WriteString("session", text);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return bytes.WrittenMemory;
    }

    /// <returns>False for records of another kind: later versions write more than this one understands.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> value, out byte[] sessionId, out DateTimeOffset at)
    {
        (sessionId, at) = (new byte[16], default);
        try
        {
            using var json = JsonDocument.Parse(value);
            var root = json.RootElement;
            return root.ValueKind is JsonValueKind.Object
                && root.TryGetProperty("type", out var type) && type.ValueEquals(Type)
                && root.TryGetProperty("time", out var time) && time.TryGetDateTimeOffset(out at)
                && root.TryGetProperty("data", out var data) && data.TryGetProperty("session", out var session)
                && Base64Id.TryDecode(session.GetString(), sessionId);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
