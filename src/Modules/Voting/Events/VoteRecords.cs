using System.Text.Json;
using Platform;

namespace Voting;

/// <summary>What a record of <c>votes</c> can be.</summary>
internal abstract record VoteRecord
{
    private VoteRecord() { }

    internal sealed record Submitted(VoteSubmitted Vote) : VoteRecord;

    internal sealed record Closed(SurveyClosed Fence) : VoteRecord;

    /// <param name="Partition">Of the record that is replayed.</param>
    /// <param name="Offset">Of the record that is replayed.</param>
    /// <param name="Event">Its bytes.</param>
    /// <param name="Vote">What they say.</param>
    internal sealed record Replayed(int Partition, long Offset, byte[] Event, VoteSubmitted Vote) : VoteRecord;

    /// <param name="Reason">For operators; says nothing of the content.</param>
    internal sealed record Poison(string Reason) : VoteRecord;
}

/// <summary>
/// Reads the records of <c>votes</c>. Whatever is not exactly what we write is poison: it cannot be counted.
/// </summary>
internal static class VoteRecords
{
    public static VoteRecord Read(ReadOnlySpan<byte> bytes, EventMac mac)
    {
        if (!mac.IsGenuine(bytes)) return new VoteRecord.Poison("the event carries no MAC of ours");
        try
        {
            var json = new Utf8JsonReader(bytes);
            return Read(ref json, mac);
        }
        catch (Exception e)
            when (e is JsonException or FormatException or OverflowException or InvalidOperationException)
        {
            return new VoteRecord.Poison("the event cannot be decoded");
        }
    }

    private static VoteRecord Read(ref Utf8JsonReader json, EventMac mac)
    {
        Take(ref json, JsonTokenType.StartObject);
        if (!Value(ref json, "specversion"u8).SequenceEqual("1.0"u8))
            throw new JsonException("Another version of CloudEvents.");
        var type = Value(ref json, "type"u8);
        Value(ref json, "source"u8);
        var id = Value(ref json, "id"u8);
        var time = EventJson.ReadTime(Value(ref json, "time"u8));
        Value(ref json, "datacontenttype"u8);
        Name(ref json, "data"u8);
        Take(ref json, JsonTokenType.StartObject);
        if (type.SequenceEqual("vote.submitted"u8)) return new VoteRecord.Submitted(Submitted(ref json, Key(id), time));
        if (type.SequenceEqual("survey.closed"u8)) return new VoteRecord.Closed(Closed(ref json, time));
        return type.SequenceEqual("vote.replayed"u8)
            ? Replayed(ref json, mac)
            : new VoteRecord.Poison("the event is of a type that is not known here");
    }

    private static SurveyClosed Closed(ref Utf8JsonReader json, DateTimeOffset time)
    {
        var survey = Id(Value(ref json, "survey"u8));
        return new(survey, checked((int)Number(ref json, "partition"u8)), time);
    }

    private static VoteRecord Replayed(ref Utf8JsonReader json, EventMac mac)
    {
        var (partition, offset) = (checked((int)Number(ref json, "partition"u8)), Number(ref json, "offset"u8));
        Name(ref json, "event"u8);
        Take(ref json, JsonTokenType.String);
        var bytes = json.GetBytesFromBase64();
        // What is replayed is a vote: no replay of a replay, which could go on for ever.
        return Read(bytes, mac) is VoteRecord.Submitted { Vote: var vote }
            ? new VoteRecord.Replayed(partition, offset, bytes, vote)
            : new VoteRecord.Poison("the event replays what is no vote that can be decoded here");
    }

    private static VoteSubmitted Submitted(ref Utf8JsonReader json, Key16 voteId, DateTimeOffset time)
    {
        var survey = Id(Value(ref json, "survey"u8));
        var voterKey = Key(Value(ref json, "voterKey"u8));
        var salt = Key(Value(ref json, "salt"u8));
        Name(ref json, "answers"u8);
        Take(ref json, JsonTokenType.StartArray);
        var answers = new List<Answer>(4);
        while (Next(ref json) == JsonTokenType.StartObject) answers.Add(ReadAnswer(ref json));
        return new(survey, voterKey, voteId, salt, time, answers);
    }

    private static Answer ReadAnswer(ref Utf8JsonReader json)
    {
        var question = Id(Value(ref json, "question"u8));
        Name(ref json, "options"u8);
        Take(ref json, JsonTokenType.StartArray);
        var options = new List<int>(4);
        while (Next(ref json) == JsonTokenType.String) options.Add(Id(json.ValueSpan));
        string? text = null;
        if (Next(ref json) == JsonTokenType.PropertyName)
        {
            if (!json.ValueTextEquals("text"u8)) throw new JsonException("Not a member of an answer.");
            Take(ref json, JsonTokenType.String);
            text = json.GetString();
            Next(ref json);
        }

        return new(question, [.. options], text);
    }

    private static int Id(ReadOnlySpan<byte> text) =>
        JsonBody.TryParseId(text, out var id) ? id : throw new JsonException("Not an id.");

    private static Key16 Key(ReadOnlySpan<byte> text) =>
        Key16.TryParse(text, out var key) ? key : throw new JsonException("Not a key.");

    /// <returns>The bytes of a string as they stand there: what we write so is never escaped.</returns>
    private static ReadOnlySpan<byte> Value(ref Utf8JsonReader json, ReadOnlySpan<byte> name)
    {
        Name(ref json, name);
        Take(ref json, JsonTokenType.String);
        return json.ValueSpan;
    }

    private static long Number(ref Utf8JsonReader json, ReadOnlySpan<byte> name)
    {
        Name(ref json, name);
        Take(ref json, JsonTokenType.Number);
        return json.GetInt64();
    }

    private static void Name(ref Utf8JsonReader json, ReadOnlySpan<byte> name)
    {
        Take(ref json, JsonTokenType.PropertyName);
        if (!json.ValueTextEquals(name)) throw new JsonException("Another member was to stand here.");
    }

    private static void Take(ref Utf8JsonReader json, JsonTokenType type)
    {
        if (Next(ref json) != type) throw new JsonException("Something else was to stand here.");
    }

    private static JsonTokenType Next(ref Utf8JsonReader json) =>
        json.Read() ? json.TokenType : throw new JsonException("The event ends too early.");
}
