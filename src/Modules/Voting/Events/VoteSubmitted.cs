using System.Buffers.Text;
using System.Globalization;
using System.Text;

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
        Span<byte> id = stackalloc byte[Key16.TextLength];
        VoteId.WriteText(id);
        var json = EventJson.Begin(Type, "/voting/votes", id, AcceptedAt);
        json.WriteId("survey"u8, Survey);
        json.WriteId("voterKey"u8, VoterKey);
        json.WriteId("salt"u8, Salt);
        json.WriteStartArray("answers"u8);
        Span<byte> text = stackalloc byte[11];
        foreach (var answer in Answers)
        {
            json.WriteStartObject();
            json.WriteId("question"u8, answer.Question);
            json.WriteStartArray("options"u8);
            foreach (var option in answer.Options)
            {
                Utf8Formatter.TryFormat(option, text, out var length);
                json.WriteStringValue(text[..length]);
            }

            json.WriteEndArray();
            if (answer.Text is not null) json.WriteString("text"u8, answer.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        return mac.Seal(EventJson.End(json));
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
        var id = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"closed-{Survey}-{Partition}"));
        var json = EventJson.Begin(Type, "/voting/surveys", id, ClosedAt);
        json.WriteId("survey"u8, Survey);
        json.WriteNumber("partition"u8, Partition);
        return mac.Seal(EventJson.End(json));
    }
}
