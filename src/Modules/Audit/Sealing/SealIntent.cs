using System.Text.Json;
using System.Text.Json.Serialization;

namespace Audit;

/// <summary>What the next checkpoint of a log holds. Contents and their order follow from this alone.</summary>
/// <param name="Number">The checkpoint's.</param>
/// <param name="Time">That it says: whole milliseconds, UTC.</param>
/// <param name="Ranges">In the order of the log's sources, none empty; the last offset of each is a record's.</param>
internal sealed record SealIntent(long Number, DateTimeOffset Time, IReadOnlyList<OffsetRange> Ranges)
{
    public string ToJson() => JsonSerializer.Serialize(this, SealingJson.Default.SealIntent);

    public static SealIntent Parse(string json) => JsonSerializer.Deserialize(json, SealingJson.Default.SealIntent)
        ?? throw new InvalidOperationException("An intent is null.");
}

/// <summary>How columns of type jsonb are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SealIntent))]
[JsonSerializable(typeof(Dictionary<string, long>))]
internal sealed partial class SealingJson : JsonSerializerContext;
