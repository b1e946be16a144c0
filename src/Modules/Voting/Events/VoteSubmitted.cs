using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voting;

/// <summary>
/// An accepted ballot, as it stands in <c>votes</c>: a CloudEvent whose bytes are frozen by golden files.
/// </summary>
/// <param name="AcceptedAt">Whole milliseconds, UTC.</param>
internal sealed record VoteSubmitted(
    int Survey, Key16 VoterKey, Key16 VoteId, Key16 Salt, DateTimeOffset AcceptedAt, IReadOnlyList<Answer> Answers)
{
    public const string Type = "vote.submitted";

    /// <summary>
    /// Name of the record header that carries the receipt's signature, so that a lost answer can be given again.
    /// </summary>
    public const string ReceiptHeader = "receipt";

    /// <summary>Name of the record header that carries what is kept of the idempotency key.</summary>
    public const string IdempotencyHeader = "idempotency";

    /// <returns>The event's bytes: the same for the same values, for good.</returns>
    public byte[] ToBytes(EventMac mac)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, EventJson.Writing))
        {
            EventJson.WriteHead(json, Type, "/voting/votes", VoteId.ToString(), AcceptedAt);
            json.WriteStartObject("data"u8);
            json.WriteString("survey"u8, Survey.ToString(CultureInfo.InvariantCulture));
            json.WriteString("voterKey"u8, VoterKey.ToString());
            json.WriteString("salt"u8, Salt.ToString());
            json.WriteStartArray("answers"u8);
            foreach (var answer in Answers)
            {
                json.WriteStartObject();
                json.WriteString("question"u8, answer.Question.ToString(CultureInfo.InvariantCulture));
                json.WriteStartArray("options"u8);
                foreach (var option in answer.Options)
                    json.WriteStringValue(option.ToString(CultureInfo.InvariantCulture));
                json.WriteEndArray();
                if (answer.Text is not null) json.WriteString("text"u8, answer.Text);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return mac.Seal(buffer.WrittenSpan);
    }
}

/// <summary>
/// The fence: the survey takes no ballot that stands behind it in its partition. The first one counts.
/// </summary>
internal sealed record SurveyClosed(int Survey, int Partition, DateTimeOffset ClosedAt)
{
    public const string Type = "survey.closed";

    /// <returns>The event's bytes.</returns>
    public byte[] ToBytes(EventMac mac)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, EventJson.Writing))
        {
            var survey = Survey.ToString(CultureInfo.InvariantCulture);
            EventJson.WriteHead(json, Type, "/voting/surveys", $"closed-{survey}-{Partition}", ClosedAt);
            json.WriteStartObject("data"u8);
            json.WriteString("survey"u8, survey);
            json.WriteNumber("partition"u8, Partition);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return mac.Seal(buffer.WrittenSpan);
    }
}

/// <summary>What all events share: CloudEvents 1.0, JSON, structured mode.</summary>
internal static class EventJson
{
    /// <summary>Times in events: milliseconds, always.</summary>
    public const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    // Not escaping what JSON does not demand keeps other languages' text short; the bytes go to no web page.
    public static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static void WriteHead(Utf8JsonWriter json, string type, string source, string id, DateTimeOffset time)
    {
        json.WriteStartObject();
        json.WriteString("specversion"u8, "1.0"u8);
        json.WriteString("type"u8, type);
        json.WriteString("source"u8, source);
        json.WriteString("id"u8, id);
        json.WriteString("time"u8, time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture));
        json.WriteString("datacontenttype"u8, "application/json"u8);
    }
}
