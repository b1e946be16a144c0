using System.Buffers.Text;
using System.Globalization;
using System.Text.Json.Serialization;
using Platform;

namespace Audit;

/// <summary>A page of events.</summary>
/// <param name="Items">The newest first.</param>
/// <param name="Next">Where the next page begins, or null.</param>
internal sealed record EventPage(IReadOnlyList<EventView> Items, string? Next);

/// <summary>An archived event as auditors see it.</summary>
/// <param name="Log">The log that it is in.</param>
/// <param name="Index">Its place there.</param>
/// <param name="Time">RFC 3339.</param>
/// <param name="Type">Such as <c>vote.counted</c>.</param>
/// <param name="Survey">The survey's id, or null.</param>
/// <param name="Vote">The vote's id, or null.</param>
/// <param name="VoterKey">The voter's key in that survey, or null.</param>
/// <param name="Actor">Who did it, or null.</param>
/// <param name="Topic">Where it was read.</param>
/// <param name="Partition">Of the topic.</param>
/// <param name="Offset">In the partition.</param>
/// <param name="Entry">SHA-256 of its bytes, as in receipts.</param>
internal sealed record EventView(
    string Log, long Index, string Time, string Type, string? Survey, string? Vote, string? VoterKey, string? Actor,
    string Topic, int Partition, long Offset, string Entry)
{
    public static EventView Of(ArchivedEvent one) => new(
        one.Log, one.Index, OutboxEvent.Time(one.Time), one.Type, one.Survey?.ToString(CultureInfo.InvariantCulture),
        Text(one.Vote), Text(one.VoterKey), one.Actor, one.Topic, one.Partition, one.Offset,
        Base64Url.EncodeToString(one.Entry.Span));

    private static string? Text(byte[]? key) => key is null ? null : Base64Url.EncodeToString(key);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LogPage))]
[JsonSerializable(typeof(ResultPage))]
[JsonSerializable(typeof(EventPage))]
internal sealed partial class AuditJson : JsonSerializerContext;
