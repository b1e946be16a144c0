using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace VotingTests;

/// <summary>Bodies that tests send and read.</summary>
internal static class Bodies
{
    /// <summary>The contract's own example.</summary>
    public static JsonObject Survey() => Parse("""
        {
          "title": "Elections Survey",
          "questions": [
            {
              "title": "Who would you vote for president?",
              "min": 1, "max": 2, "order": 0,
              "options": [
                { "text": "Homer Simpson", "image": "https://example.com/homer.jpg", "order": 0 },
                { "text": "Ned Flanders",  "image": "https://example.com/ned.jpg",   "order": 1 }
              ]
            }
          ]
        }
        """);

    public static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();

    /// <summary>The same survey after a change.</summary>
    public static JsonObject Survey(Action<JsonObject> change)
    {
        var body = Survey();
        change(body);
        return body;
    }

    public static JsonObject Question(this JsonNode survey, int index = 0) => survey["questions"]![index]!.AsObject();

    public static JsonObject Option(this JsonNode survey, int index = 0, int question = 0) =>
        survey.Question(question)["options"]![index]!.AsObject();

    public static JsonObject NewQuestion(string title, int order, int options = 2) => Parse($$"""
        { "title": "{{title}}", "min": 0, "max": 1, "order": {{order}}, "options": [{{string.Join(",",
            Enumerable.Range(0, options).Select(i => $$"""{"text":"Option {{i}}","order":{{i}}}"""))}}] }
        """);

    /// <summary>What an answer of a survey would be sent back as, to change it.</summary>
    public static JsonObject ToUpdate(this JsonObject survey)
    {
        var body = survey.DeepClone().AsObject();
        foreach (var member in new[] { "id", "status", "startDate", "finishDate" }) body.Remove(member);
        return body;
    }

    public static async Task<JsonObject> JsonAsync(this HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<JsonNode>(TestContext.Current.CancellationToken))!.AsObject();

    /// <summary>Asserts a problem document of that kind and returns it.</summary>
    public static async Task<JsonObject> ProblemAsync(this HttpResponseMessage answer, int status, string code)
    {
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(status == (int)answer.StatusCode, $"{(int)answer.StatusCode}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = Parse(text);
        Assert.Equal($"https://errors.voting/{code}", (string?)problem["type"]);
        Assert.Equal(status, (int?)problem["status"]);
        Assert.NotNull((string?)problem["traceId"]);
        return problem;
    }
}
