using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Platform;

namespace Audit;

/// <summary>The records of one source that a checkpoint seals.</summary>
/// <param name="Source"><see cref="EntrySource.Name"/>.</param>
/// <param name="From">The first offset that belongs to the range; there need not be a record at it.</param>
/// <param name="To">The first offset behind it.</param>
internal readonly record struct OffsetRange(string Source, long From, long To);

/// <summary>Which version of which object holds the entries of a checkpoint.</summary>
/// <param name="Key">The object's key.</param>
/// <param name="VersionId">As the store named it.</param>
/// <param name="Digest">SHA-256 of the object.</param>
internal sealed record SegmentReference(string Key, string VersionId, Digest Digest);

/// <summary>What a log signs of each of its checkpoints: <c>checkpoint.json</c> is this, signed.</summary>
internal sealed record CheckpointStatement
{
    // The note is read by people; nothing of this goes to a web page.
    private static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>The log's name: <c>votes-07</c>.</summary>
    public required string Log { get; init; }

    /// <summary>Number of the checkpoint in its log, from 1 without gaps.</summary>
    public required long Number { get; init; }

    /// <summary>How many entries the segment has: at least one.</summary>
    public required long Entries { get; init; }

    /// <summary>The last link of the chain.</summary>
    public required Digest LastHash { get; init; }

    /// <summary>By source, where reading goes on: of every source that the log ever had entries of.</summary>
    public required IReadOnlyDictionary<string, long> Offsets { get; init; }

    /// <summary>What the segment holds, in its order; no range is empty.</summary>
    public required IReadOnlyList<OffsetRange> Ranges { get; init; }

    /// <summary>Where the entries are.</summary>
    public required SegmentReference Segment { get; init; }

    /// <summary>SHA-256 of the <c>checkpoint.json</c> before this one; null in the first.</summary>
    public required Digest? Previous { get; init; }

    /// <summary>When sealing began: whole milliseconds, UTC, never before that of the checkpoint before.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The checkpoint in its public form: origin, size and root of the tree, signed.</summary>
    public required SignedCheckpoint Note { get; init; }

    /// <summary>Entries of the log up to here.</summary>
    public long Size => Note.Checkpoint.Size;

    /// <summary>Root of the tree.</summary>
    public Digest Root => Note.Checkpoint.Root;

    /// <returns>JSON: the same statement is the same bytes.</returns>
    public byte[] ToBytes()
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Writing))
        {
            json.WriteStartObject();
            json.WriteString("log"u8, Log);
            json.WriteString("origin"u8, Note.Checkpoint.Origin);
            json.WriteNumber("checkpoint"u8, Number);
            json.WriteNumber("entries"u8, Entries);
            json.WriteNumber("size"u8, Size);
            json.WriteString("root"u8, Text(Root));
            json.WriteString("lastHash"u8, Text(LastHash));
            json.WriteStartObject("offsets"u8);
            foreach (var (source, next) in Offsets.OrderBy(offset => offset.Key, StringComparer.Ordinal))
                json.WriteNumber(source, next);
            json.WriteEndObject();
            json.WriteStartObject("ranges"u8);
            foreach (var range in Ranges)
            {
                json.WriteStartArray(range.Source);
                json.WriteNumberValue(range.From);
                json.WriteNumberValue(range.To);
                json.WriteEndArray();
            }

            json.WriteEndObject();
            json.WriteStartObject("segment"u8);
            json.WriteString("key"u8, Segment.Key);
            json.WriteString("versionId"u8, Segment.VersionId);
            json.WriteString("digest"u8, Text(Segment.Digest));
            json.WriteEndObject();
            if (Previous is { } previous) json.WriteString("previous"u8, Text(previous));
            else json.WriteNull("previous"u8);
            json.WriteString("time"u8, OutboxEvent.Time(Time));
            json.WriteString("note"u8, Note.ToString());
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Takes the bytes that <see cref="ToBytes"/> writes, and no others.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out CheckpointStatement? statement)
    {
        statement = null;
        try
        {
            using var json = JsonDocument.Parse(bytes);
            statement = Read(json.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException or ArgumentException or IndexOutOfRangeException)
        {
            return false;
        }

        // Whatever it left out, added or wrote otherwise would be missing or different here.
        if (statement is { IsPlausible: true } && bytes.Span.SequenceEqual(statement.ToBytes())) return true;
        statement = null;
        return false;
    }

    private bool IsPlausible => Number is > 0 and <= ArchiveKey.CheckpointMax && Entries > 0 && Size >= Entries
        && (Previous is null) == (Number == 1) && (Size == Entries) == (Number == 1) && Ranges.Count > 0
        && Ranges.All(range => range.From >= 0 && range.From < range.To
            && Offsets.TryGetValue(range.Source, out var next) && next == range.To);

    private static CheckpointStatement? Read(JsonElement json) =>
        SignedCheckpoint.TryParse(String(json, "note"), out var note)
            ? new()
            {
                Log = String(json, "log"),
                Number = json.GetProperty("checkpoint").GetInt64(),
                Entries = json.GetProperty("entries").GetInt64(),
                LastHash = Hash(json.GetProperty("lastHash")),
                Offsets = json.GetProperty("offsets").EnumerateObject()
                    .ToDictionary(offset => offset.Name, offset => offset.Value.GetInt64(), StringComparer.Ordinal),
                Ranges = [.. json.GetProperty("ranges").EnumerateObject().Select(range =>
                    new OffsetRange(range.Name, range.Value[0].GetInt64(), range.Value[1].GetInt64()))],
                Segment = Reference(json.GetProperty("segment")),
                Previous = json.GetProperty("previous") is { ValueKind: not JsonValueKind.Null } previous
                    ? Hash(previous) : null,
                Time = DateTimeOffset.ParseExact(
                    String(json, "time"), OutboxEvent.TimeFormat, CultureInfo.InvariantCulture,
                    DateTimeStyles.AssumeUniversal),
                Note = note,
            }
            : null;

    private static SegmentReference Reference(JsonElement json) =>
        new(String(json, "key"), String(json, "versionId"), Hash(json.GetProperty("digest")));

    private static string String(JsonElement json, string name) =>
        json.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null.");

    private static Digest Hash(JsonElement json) => new(StrictText.FromBase64Url(json.GetString()));

    private static string Text(in Digest digest) => Base64Url.EncodeToString(digest.Span);
}
