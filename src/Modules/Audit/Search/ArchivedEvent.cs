using System.Globalization;
using System.Text.Json;
using Platform;

namespace Audit;

/// <summary>What the index knows of an archived event.</summary>
/// <param name="Log">The log that it is in.</param>
/// <param name="Index">Its place there.</param>
/// <param name="Time">The event's own; the checkpoint's where it has none.</param>
/// <param name="Type">Such as <c>vote.counted</c>; <see cref="EventFacts.Unreadable"/> of what is no event.</param>
/// <param name="Survey">The survey's id, or null.</param>
/// <param name="Vote">The vote's id, or null.</param>
/// <param name="VoterKey">The voter's key in that survey, or null.</param>
/// <param name="Actor">Who did it, or null.</param>
/// <param name="Topic">Where it was read.</param>
/// <param name="Partition">Of the topic.</param>
/// <param name="Offset">In the partition.</param>
/// <param name="Entry">SHA-256 of its bytes.</param>
internal sealed record ArchivedEvent(
    string Log, long Index, DateTimeOffset Time, string Type, int? Survey, byte[]? Vote, byte[]? VoterKey,
    string? Actor, string Topic, int Partition, long Offset, Digest Entry);

/// <summary>What an event says of itself, as far as it is searched for.</summary>
internal struct EventFacts
{
    /// <summary>Stands as the type of a record that is no event: it is archived as it is, and found by that.</summary>
    public const string Unreadable = "unreadable";

    private const int TypeLengthMax = 100;
    private const int ActorLengthMax = 200;
    private const int KeySizeBytes = 16;

    public string Type;
    public DateTimeOffset? Time;
    public string? Actor;
    public int? Survey;
    public byte[]? Vote;
    public byte[]? VoterKey;

    /// <summary>Of an outcome: the offset of the vote that it is the outcome of.</summary>
    public long? OutcomeOf;

    /// <summary>Reads an event. Never throws: whatever was archived is found by something.</summary>
    public static EventFacts Of(ReadOnlySpan<byte> @event)
    {
        try
        {
            var json = new Utf8JsonReader(@event);
            if (!json.Read() || json.TokenType is not JsonTokenType.StartObject) return new() { Type = Unreadable };
            var facts = new EventFacts { Type = "" };
            var id = default(byte[]);
            while (json.Read() && json.TokenType is JsonTokenType.PropertyName) facts.Take(ref json, ref id);
            // JSON with something behind it is none.
            var isWhole = json.TokenType is JsonTokenType.EndObject && !json.Read();
            if (!isWhole || facts.Type.Length is 0 or > TypeLengthMax) return new() { Type = Unreadable };
            // The id of a submitted vote is the vote's.
            if (facts.Type == "vote.submitted") facts.Vote ??= id;
            return facts;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return new() { Type = Unreadable };
        }
    }

    private void Take(ref Utf8JsonReader json, ref byte[]? id)
    {
        var (isType, isId) = (json.ValueTextEquals("type"u8), json.ValueTextEquals("id"u8));
        var (isTime, isActor) = (json.ValueTextEquals("time"u8), json.ValueTextEquals("actor"u8));
        var isData = json.ValueTextEquals("data"u8);
        json.Read();
        if (isData && json.TokenType is JsonTokenType.StartObject)
        {
            while (json.Read() && json.TokenType is JsonTokenType.PropertyName) TakeOfData(ref json);
            return;
        }

        if (json.TokenType is not JsonTokenType.String) json.Skip();
        else if (isType) Type = Storable(json.GetString()!);
        else if (isId) id = Key(ref json);
        else if (isTime) Time = At(json.GetString()!);
        else if (isActor && json.GetString() is { Length: > 0 and <= ActorLengthMax } actor) Actor = Storable(actor);
    }

    private void TakeOfData(ref Utf8JsonReader json)
    {
        var (isSurvey, isVote) = (json.ValueTextEquals("survey"u8), json.ValueTextEquals("voteId"u8));
        var (isVoter, isOffset) = (json.ValueTextEquals("voterKey"u8), json.ValueTextEquals("offset"u8));
        var isReplayed = json.ValueTextEquals("event"u8);
        json.Read();
        if (json.TokenType is JsonTokenType.String)
        {
            if (isSurvey && JsonBody.TryParseId(json.GetString(), out var survey)) Survey = survey;
            else if (isVote) Vote = Key(ref json);
            else if (isVoter) VoterKey = Key(ref json);
            else if (isReplayed && Type == "vote.replayed") TakeReplayed(json.GetBytesFromBase64());
        }
        else if (json.TokenType is JsonTokenType.Number)
        {
            if (isOffset && json.TryGetInt64(out var offset)) OutcomeOf = offset;
        }
        else
        {
            json.Skip();
        }
    }

    private void TakeReplayed(byte[] @event)
    {
        var replayed = Of(@event);
        if (replayed.Type != "vote.submitted") return;
        (Survey, Vote, VoterKey) = (replayed.Survey, replayed.Vote, replayed.VoterKey);
    }

    private static byte[]? Key(ref Utf8JsonReader json)
    {
        var key = new byte[KeySizeBytes];
        return Base64Id.TryDecode(json.GetString(), key) ? key : null;
    }

    // PostgreSQL keeps no null character in a text.
    private static string Storable(string text) => text.Replace('\0', '\uFFFD');

    private static DateTimeOffset? At(string text) => DateTimeOffset.TryParseExact(
        text, OutboxEvent.TimeFormat, CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at) ? at : null;
}
