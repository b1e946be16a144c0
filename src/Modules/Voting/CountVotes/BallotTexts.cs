using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Voting;

/// <summary>A ballot's answers in words, as their column holds them.</summary>
internal static class BallotTexts
{
    /// <returns>A JSON object, by question; null when nothing was said in words.</returns>
    public static string? Of(CountedBallot ballot)
    {
        Dictionary<string, string>? texts = null;
        foreach (var answer in ballot.Vote.Answers)
        {
            if (answer.Text is null) continue;
            texts ??= [];
            texts[answer.Question.ToString(CultureInfo.InvariantCulture)] = answer.Text;
        }

        return texts is null ? null : JsonSerializer.Serialize(texts, BallotTextsJson.Default.DictionaryStringString);
    }
}

[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class BallotTextsJson : JsonSerializerContext;
