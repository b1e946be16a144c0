using System.Text.Json;
using System.Text.Json.Serialization;
using Mediator;

namespace Voting.Contracts;

/// <summary>
/// What one partition of <c>votes</c> adds to a survey's result: absolute, so the one with the higher version replaces
/// the other. Stands as JSON in the topic <c>tallies</c>.
/// </summary>
/// <param name="Survey">The survey's id.</param>
/// <param name="Partition">The partition of <c>votes</c>.</param>
/// <param name="Version">The next offset of that partition when this was counted.</param>
/// <param name="Ballots">Counted ballots.</param>
/// <param name="Options">Option ids that have votes, ascending.</param>
/// <param name="Votes">Votes of each of <paramref name="Options"/>.</param>
public sealed record PartitionTally(
    int Survey, int Partition, long Version, long Ballots, IReadOnlyList<int> Options, IReadOnlyList<long> Votes)
{
    /// <summary>The topic that carries them, partitioned by survey id modulo its number of partitions.</summary>
    public const string Topic = "tallies";

    /// <returns>The record's bytes.</returns>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, PartitionTallyJson.Default.PartitionTally);

    /// <exception cref="JsonException">The bytes are no tally.</exception>
    public static PartitionTally Parse(ReadOnlySpan<byte> bytes) =>
        JsonSerializer.Deserialize(bytes, PartitionTallyJson.Default.PartitionTally)
        ?? throw new JsonException("A tally is never null.");
}

/// <summary>
/// Reads a survey's tallies from the shards' rows: one for each partition that has counted a ballot of it. They are
/// never older than any tally that stood in the topic when the query was sent.
/// </summary>
public sealed record ReadTallies(int SurveyId) : IQuery<IReadOnlyList<PartitionTally>>;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PartitionTally))]
internal sealed partial class PartitionTallyJson : JsonSerializerContext;
