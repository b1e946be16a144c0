using System.Text.Json;
using Testing;

namespace DemoTests;

/// <summary>What several tests begin with.</summary>
internal static class Arrange
{
    /// <returns>The schemas in which ballots are stored, at least one.</returns>
    public static async Task<IReadOnlyList<string>> ShardsAsync(Installation installation)
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var query = installation.Database.Source.CreateCommand(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ '^voting_[0-9]+$'");
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var schemas = new List<string>();
        while (await rows.ReadAsync(cancel)) schemas.Add(rows.GetString(0));
        Assert.NotEmpty(schemas);
        return schemas;
    }

    /// <returns>A file with a survey of one question.</returns>
    public static string Survey(string title, string resultsVisibility = "live")
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("voting-demo-").FullName, "survey.json");
        File.WriteAllText(file, JsonSerializer.Serialize(new
        {
            title,
            resultsVisibility,
            questions = new[]
            {
                new
                {
                    title = "Which?", min = 1, max = 2, order = 0,
                    options = new[] { new { text = "This", order = 0 }, new { text = "That", order = 1 } },
                },
            },
        }));
        return file;
    }
}
