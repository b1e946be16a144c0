using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace Audit;

/// <summary>A checkpoint as a statement names it.</summary>
internal sealed record StatedCheckpoint(string Log, string Origin, long Number, long Size, Digest Root);

/// <summary>What a statement of a final result says, read by code that signing does not use.</summary>
/// <param name="Survey">Its id, as it is written.</param>
/// <param name="Version">Of the live tally that the result is.</param>
/// <param name="Ballots">How many were counted.</param>
/// <param name="Votes">By option.</param>
/// <param name="Signed">The voting module's signed result.</param>
/// <param name="EndLog">The log that holds the survey's end.</param>
/// <param name="EndIndex">Its place there.</param>
/// <param name="EndEntry">Its digest.</param>
/// <param name="Checkpoints">By log.</param>
internal sealed record StatedResult(
    string Survey, long Version, long Ballots, IReadOnlyDictionary<int, long> Votes, string Signed, string EndLog,
    long EndIndex, Digest EndEntry, IReadOnlyDictionary<string, StatedCheckpoint> Checkpoints)
{
    /// <returns>False when something is missing, or of another kind.</returns>
    public static bool TryParse(ReadOnlyMemory<byte> payload, [NotNullWhen(true)] out StatedResult? stated)
    {
        stated = null;
        try
        {
            using var json = JsonDocument.Parse(payload);
            var (said, end) = (json.RootElement, json.RootElement.GetProperty("finalized"));
            stated = new(
                Text(said, "survey"), said.GetProperty("version").GetInt64(), said.GetProperty("ballots").GetInt64(),
                said.GetProperty("votes").EnumerateObject().ToDictionary(
                    vote => int.Parse(vote.Name, NumberStyles.None, CultureInfo.InvariantCulture),
                    vote => vote.Value.GetInt64()),
                Text(said, "result"), Text(end, "log"), end.GetProperty("index").GetInt64(), Hash(end, "entry"),
                said.GetProperty("checkpoints").EnumerateArray().Select(one => new StatedCheckpoint(
                    Text(one, "log"), Text(one, "origin"), one.GetProperty("checkpoint").GetInt64(),
                    one.GetProperty("size").GetInt64(), Hash(one, "root"))).ToDictionary(one => one.Log));
            return true;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
            or FormatException or OverflowException or ArgumentException)
        {
            return false;
        }
    }

    private static string Text(JsonElement json, string name) =>
        json.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null.");

    private static Digest Hash(JsonElement json, string name) => new(StrictText.FromBase64Url(Text(json, name)));
}
