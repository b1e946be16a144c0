using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Platform;

namespace Audit;

/// <summary>Where one log stood when a result was found to be archived.</summary>
/// <param name="Log">The log's name.</param>
/// <param name="Number">Of its checkpoint.</param>
/// <param name="Checkpoint">Origin, size and root.</param>
internal sealed record CountedAt(string Log, long Number, Checkpoint Checkpoint);

/// <summary>
/// <c>results/&lt;survey&gt;/statement.json</c>: a survey's result, and the checkpoints that it was counted at, as a
/// flattened JWS (RFC 7515) by EdDSA (RFC 8037).
/// </summary>
/// <remarks>
/// <c>kid</c> is the verifier key's name and id of the log <c>events</c>, as in its checkpoints; <c>typ</c> tells the
/// statement from those.
/// </remarks>
internal static class ResultStatement
{
    public const string ContentType = "application/jose+json";

    /// <summary>What the keys of all statements begin with.</summary>
    public const string KeyStart = "results/";

    private const string Type = "survey-statement+jws";

    /// <summary>Most bytes that are looked at: a checkpoint of each of ten thousand logs takes half.</summary>
    public const int SizeBytesMax = 4 * 1024 * 1024;

    private static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Where it is kept.</summary>
    public static string Key(int survey) =>
        string.Create(CultureInfo.InvariantCulture, $"{KeyStart}{survey}/statement.json");

    /// <returns>The file.</returns>
    /// <param name="end">The event that made the result final, and where it is archived.</param>
    /// <param name="facts">What the event says.</param>
    /// <param name="counted">Every log of votes, and the log of the event; by name.</param>
    /// <param name="at">When this is stated.</param>
    /// <param name="signer">The key of the log <c>events</c>.</param>
    public static byte[] Sign(
        FinalSurvey end, FinalFacts facts, IEnumerable<CountedAt> counted, DateTimeOffset at, NoteSigner signer)
    {
        var payload = Encode(json =>
        {
            json.WriteString("survey"u8, end.Survey.ToString(CultureInfo.InvariantCulture));
            json.WriteNumber("ballots"u8, facts.Ballots);
            json.WriteStartObject("votes"u8);
            foreach (var (option, count) in facts.Votes.OrderBy(vote => vote.Option))
                json.WriteNumber(option.ToString(CultureInfo.InvariantCulture), count);
            json.WriteEndObject();
            json.WriteNumber("version"u8, facts.Version);
            json.WriteString("result"u8, facts.Statement);
            json.WriteStartObject("finalized"u8);
            json.WriteString("log"u8, end.Log);
            json.WriteNumber("index"u8, end.Index);
            json.WriteString("entry"u8, Base64Url.EncodeToString(end.Entry.Span));
            json.WriteEndObject();
            json.WriteStartArray("checkpoints"u8);
            foreach (var one in counted)
            {
                json.WriteStartObject();
                json.WriteString("log"u8, one.Log);
                json.WriteString("origin"u8, one.Checkpoint.Origin);
                json.WriteNumber("checkpoint"u8, one.Number);
                json.WriteNumber("size"u8, one.Checkpoint.Size);
                json.WriteString("root"u8, Base64Url.EncodeToString(one.Checkpoint.Root.Span));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteString("time"u8, OutboxEvent.Time(at));
        });
        var header = Encode(json =>
        {
            json.WriteString("alg"u8, "EdDSA"u8);
            json.WriteString("typ"u8, Type);
            json.WriteString("kid"u8, KeyId(signer.Verifier));
        });
        var signature = Base64Url.EncodeToString(signer.Sign($"{header}.{payload}").Bytes.Span);
        return File(header, payload, signature);
    }

    /// <summary>Takes a statement that one of the keys signed: the bytes that signing makes, and no others.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="keys">Of the log <c>events</c>.</param>
    /// <param name="payload">What it says.</param>
    public static bool TryOpen(
        ReadOnlyMemory<byte> bytes, IEnumerable<VerifierKey> keys, [NotNullWhen(true)] out byte[]? payload)
    {
        payload = null;
        if (bytes.Length > SizeBytesMax) return false;
        try
        {
            using var json = JsonDocument.Parse(bytes);
            var (header, body) = (Member(json, "protected"), Member(json, "payload"));
            using var said = JsonDocument.Parse(StrictText.FromBase64Url(header));
            if (Member(said, "alg") != "EdDSA" || Member(said, "typ") != Type) return false;
            var named = Member(said, "kid");
            var signature = StrictText.FromBase64Url(Member(json, "signature"));
            var signed = keys.Any(key => KeyId(key) == named
                && key.Verifies($"{header}.{body}", new(key.Name, key.Id, signature)));
            if (!signed || !bytes.Span.SequenceEqual(File(header, body, Base64Url.EncodeToString(signature))))
                return false;
            payload = StrictText.FromBase64Url(body);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException)
        {
            return false;
        }
    }

    private static byte[] File(string header, string payload, string signature) => Encoding.ASCII.GetBytes(
        $$"""{"payload":"{{payload}}","protected":"{{header}}","signature":"{{signature}}"}""");

    private static string KeyId(VerifierKey key) =>
        string.Create(CultureInfo.InvariantCulture, $"{key.Name}+{key.Id:x8}");

    private static string Member(JsonDocument json, string name) =>
        json.RootElement.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null.");

    private static string Encode(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Writing))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return Base64Url.EncodeToString(buffer.WrittenSpan);
    }
}

/// <summary>What <c>survey.finalized</c> says.</summary>
/// <param name="Version">The result's version.</param>
/// <param name="Ballots">How many were counted.</param>
/// <param name="Votes">By option.</param>
/// <param name="Fences">By partition of <c>votes</c>: up to there ballots count.</param>
/// <param name="Statement">The result, signed by the voting module.</param>
internal sealed record FinalFacts(
    long Version, long Ballots, IReadOnlyList<(int Option, long Count)> Votes,
    IReadOnlyDictionary<int, long> Fences, string Statement)
{
    /// <returns>Whether these are the votes that ballots give; options that nobody chose may be named or not.</returns>
    public bool Gives(SurveyFigures counted) => Votes.Where(vote => vote.Count != 0).OrderBy(vote => vote.Option)
        .Select(vote => KeyValuePair.Create(vote.Option, vote.Count))
        .SequenceEqual(counted.Votes.Where(vote => vote.Value != 0));

    /// <exception cref="InvalidDataException">The event is none of that type.</exception>
    public static FinalFacts Of(byte[] @event)
    {
        try
        {
            using var json = JsonDocument.Parse(@event);
            var data = json.RootElement.GetProperty("data");
            return new(
                data.GetProperty("version").GetInt64(), data.GetProperty("ballots").GetInt64(),
                [.. data.GetProperty("votes").EnumerateObject().Select(vote =>
                    (int.Parse(vote.Name, NumberStyles.None, CultureInfo.InvariantCulture), vote.Value.GetInt64()))],
                data.GetProperty("fences").EnumerateArray().ToDictionary(
                    fence => fence.GetProperty("partition").GetInt32(),
                    fence => fence.GetProperty("offset").GetInt64()),
                data.GetProperty("statement").GetString()!);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException or OverflowException or ArgumentException)
        {
            throw new InvalidDataException("An archived event of a survey's end cannot be read.", e);
        }
    }
}
