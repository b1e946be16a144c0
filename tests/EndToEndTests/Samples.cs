using System.Text.Json;

namespace EndToEndTests;

/// <summary>Bodies as the contract has them.</summary>
internal static class Samples
{
    /// <summary>The contract's example, with a second question that takes text and need not be answered.</summary>
    public const string Elections = """
        {
          "title": "Elections Survey",
          "questions": [
            {
              "title": "Who would you vote for president?",
              "min": 1, "max": 2, "order": 0,
              "options": [
                { "text": "Homer Simpson", "image": "https://example.com/homer.jpg", "order": 0 },
                { "text": "Ned Flanders",  "image": "https://example.com/ned.jpg",   "order": 1 },
                { "text": "Moe Szyslak", "order": 2 }
              ]
            },
            {
              "title": "And why?", "min": 0, "max": 1, "order": 1, "allowText": true,
              "options": [ { "text": "Policy", "order": 0 }, { "text": "Hair", "order": 1 } ]
            }
          ]
        }
        """;

    /// <summary>The same, its results hidden until they are final.</summary>
    public static readonly string Hidden = Elections.Replace(
        "\"questions\"", "\"resultsVisibility\": \"afterFinish\", \"questions\"", StringComparison.Ordinal);
}

/// <summary>A survey that a test made.</summary>
/// <param name="Json">As its creation answered.</param>
public sealed record SampleSurvey(JsonElement Json)
{
    public string Id => Json.GetProperty("id").GetString()!;

    public string Public => $"/v1/surveys/{Id}";

    public string Internal => $"/v1/internal/surveys/{Id}";

    public string Votes => $"{Public}/votes";

    /// <returns>A question's id.</returns>
    public string Question(int index) => Json.GetProperty("questions")[index].GetProperty("id").GetString()!;

    /// <returns>An option's id.</returns>
    public string Option(int question, int index) => Json.GetProperty("questions")[question]
        .GetProperty("options")[index].GetProperty("id").GetString()!;

    /// <summary>A ballot that chooses these options of the first question.</summary>
    public string Ballot(params int[] options) =>
        $$"""{"answers":[{"question":"{{Question(0)}}","options":[{{Ids(options)}}]}]}""";

    private string Ids(int[] options) => string.Join(',', options.Select(index => $"\"{Option(0, index)}\""));
}
