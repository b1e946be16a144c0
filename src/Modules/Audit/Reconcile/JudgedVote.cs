using System.Globalization;
using System.Text.Json;
using Platform;
using Voting.Contracts;

namespace Audit;

/// <summary>What a record of <c>votes</c> reads as.</summary>
internal enum JudgedKind
{
    /// <summary>Nothing that could be counted.</summary>
    Other,

    /// <summary>A ballot, or one that was set aside and is said again.</summary>
    Vote,

    /// <summary>The end of a survey in the partition: it has neither outcome nor row.</summary>
    Fence,
}

/// <summary>
/// A record of <c>votes</c> as the archive has it, read anew: nothing of the code that wrote, counted or verifies
/// events is used.
/// </summary>
/// <param name="Offset">Where it stands.</param>
/// <param name="Kind">What it reads as.</param>
/// <param name="Entry">SHA-256 of the event; where it replays one, of that.</param>
/// <param name="Survey">The survey's id; 0 where nothing is said of one.</param>
/// <param name="Words">What the ballot says; null where it is none.</param>
internal sealed record JudgedRecord(long Offset, JudgedKind Kind, Digest Entry, int Survey, JudgedRecord.Ballot? Words)
{
    /// <summary>Whether the record replays the ballot: then its own digest is another one.</summary>
    public bool IsReplay { get; private init; }

    /// <returns>Whether it is the vote that an outcome says it is of.</returns>
    public bool IsOf(JudgedOutcome outcome) => Kind is JudgedKind.Vote && Words is { } words
        && Survey == outcome.Survey && words.VoteId.AsSpan().SequenceEqual(outcome.VoteId)
        && words.VoterKey.AsSpan().SequenceEqual(outcome.VoterKey);

    /// <summary>A ballot's words.</summary>
    /// <param name="VoterKey">16 bytes.</param>
    /// <param name="VoteId">16 bytes.</param>
    /// <param name="AcceptedAt">When it was accepted.</param>
    /// <param name="Options">In their order.</param>
    /// <param name="Texts">By question; empty where there are none.</param>
    internal sealed record Ballot(
        byte[] VoterKey, byte[] VoteId, DateTimeOffset AcceptedAt, IReadOnlyList<int> Options,
        IReadOnlyDictionary<string, string> Texts);

    /// <summary>Reads a record. Never throws: what cannot be read is <see cref="JudgedKind.Other"/>.</summary>
    public static JudgedRecord Of(long offset, byte[] bytes)
    {
        try
        {
            using var json = JsonDocument.Parse(bytes);
            var data = json.RootElement.GetProperty("data");
            switch (json.RootElement.GetProperty("type").GetString())
            {
                case "survey.closed":
                    return new(
                        offset, JudgedKind.Fence, Digest.Of(bytes), JudgedJson.Id(data.GetProperty("survey")), null);
                case "vote.replayed":
                    var inner = Of(offset, data.GetProperty("event").GetBytesFromBase64());
                    return inner.Kind is JudgedKind.Vote
                        ? inner with { IsReplay = true } : new(offset, JudgedKind.Other, Digest.Of(bytes), 0, null);
                case "vote.submitted":
                    return new(
                        offset, JudgedKind.Vote, Digest.Of(bytes), JudgedJson.Id(data.GetProperty("survey")),
                        Read(json.RootElement, data));
            }
        }
        catch (Exception e) when (JudgedJson.IsOfForm(e))
        {
            // Records that nobody can read are archived as well: what they are is said below.
            return new(offset, JudgedKind.Other, Digest.Of(bytes), 0, null);
        }

        return new(offset, JudgedKind.Other, Digest.Of(bytes), 0, null);
    }

    private static Ballot Read(JsonElement root, JsonElement data)
    {
        var (options, texts) = (new List<int>(), new Dictionary<string, string>(StringComparer.Ordinal));
        foreach (var answer in data.GetProperty("answers").EnumerateArray())
        {
            options.AddRange(answer.GetProperty("options").EnumerateArray().Select(JudgedJson.Id));
            if (answer.TryGetProperty("text", out var text))
                texts[answer.GetProperty("question").GetString()!] = text.GetString()!;
        }

        return new(
            JudgedJson.Key(data.GetProperty("voterKey")), JudgedJson.Key(root.GetProperty("id")),
            JudgedJson.Time(root.GetProperty("time")), options, texts);
    }
}

/// <summary>An archived outcome.</summary>
/// <param name="Partition">Of the votes, as it says.</param>
/// <param name="Of">The offset of the record that it is of.</param>
/// <param name="As">What became of it.</param>
/// <param name="Reason">Why it was rejected, or null.</param>
/// <param name="Survey">As it says.</param>
/// <param name="VoterKey">As it says.</param>
/// <param name="VoteId">As it says.</param>
/// <param name="DecidedAt">As it says.</param>
internal sealed record JudgedOutcome(
    int Partition, long Of, RecordedAs As, string? Reason, int Survey, byte[] VoterKey, byte[] VoteId,
    DateTimeOffset DecidedAt)
{
    /// <returns>Null when it is no outcome.</returns>
    public static JudgedOutcome? Read(byte[] bytes)
    {
        try
        {
            using var json = JsonDocument.Parse(bytes);
            var data = json.RootElement.GetProperty("data");
            RecordedAs? kind = json.RootElement.GetProperty("type").GetString() switch
            {
                "vote.counted" => RecordedAs.Counted,
                "vote.held" => RecordedAs.Held,
                "vote.rejected" => RecordedAs.Rejected,
                "vote.repeated" => RecordedAs.Repeated,
                _ => null,
            };
            return kind is not { } known ? null : new(
                data.GetProperty("partition").GetInt32(), data.GetProperty("offset").GetInt64(), known,
                data.TryGetProperty("reason", out var reason) ? reason.GetString() : null,
                JudgedJson.Id(data.GetProperty("survey")), JudgedJson.Key(data.GetProperty("voterKey")),
                JudgedJson.Key(data.GetProperty("voteId")), JudgedJson.Time(json.RootElement.GetProperty("time")));
        }
        catch (Exception e) when (JudgedJson.IsOfForm(e))
        {
            return null;
        }
    }
}

/// <summary>A record and what the archive says became of it, or null.</summary>
internal sealed record JudgedVote(JudgedRecord Record, JudgedOutcome? Outcome)
{
    public long Offset => Record.Offset;
}

/// <summary>Values in events.</summary>
internal static class JudgedJson
{
    public static int Id(JsonElement text) =>
        JsonBody.TryParseId(text.GetString(), out var id) ? id : throw new FormatException("Not an id.");

    public static byte[] Key(JsonElement text)
    {
        var key = new byte[16];
        return Base64Id.TryDecode(text.GetString(), key) ? key : throw new FormatException("Not a key.");
    }

    public static DateTimeOffset Time(JsonElement text) => DateTimeOffset.ParseExact(
        text.GetString()!, OutboxEvent.TimeFormat, CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    public static bool IsOfForm(Exception e) => e is JsonException or InvalidOperationException or KeyNotFoundException
        or FormatException or ArgumentException;
}
