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

    /// <summary>Whether tokens of a session that ended then can still be good: if so, it must be published.</summary>
    public bool Matters(DateTimeOffset endedAt) => endedAt > clock.GetUtcNow() - 2 * VoterTokens.Lifetime;

    /// <summary>From the return on this process refuses the sessions' tokens; the others do within seconds.</summary>
    /// <remarks>What this process refuses already is in the log and not said again.</remarks>
    /// <exception cref="AppendFailedException">The tokens may be taken everywhere as before: repeat it.</exception>
    public async Task PublishAsync(IEnumerable<byte[]> sessionIds, CancellationToken cancel)
    {
        var untold = sessionIds.Where(sessionId => !revoked.Bars(sessionId)).ToArray();
        if (untold.Length == 0) return;
        var now = clock.GetUtcNow();
        await log.AppendAsync(
            new TopicPartition(Topic.Name, 0),
            [.. untold.Select(sessionId => new LogRecord(sessionId, Bytes(sessionId, now)))], cancel);
        // Not before: a repeat after a failure must find them untold, and may come with a token of the session itself.
        foreach (var sessionId in untold) revoked.RevokeSession(sessionId, now);
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
