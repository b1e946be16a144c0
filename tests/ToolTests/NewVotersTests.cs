using System.Net;
using System.Text.Json;

namespace ToolTests;

public sealed class NewVotersTests(RunningSandbox sandbox)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task As_many_voters_come_as_were_asked_for_though_the_platform_asks_for_patience()
    {
        await using var platform = new ScriptedPlatform(request => request % 10 == 3 ? 429 : 200);

        var lines = await AskAsync($"count=25&host={platform.Address}");

        Assert.Equal(25, lines.Select(line => line.GetProperty("voterId").GetString()).Distinct().Count());
        Assert.True(platform.Requests > 25);
    }

    [Fact]
    public async Task The_last_line_says_why_no_more_voters_come()
    {
        await using var platform = new ScriptedPlatform(request => request > 5 ? 500 : 200);

        var lines = await AskAsync($"count=500&host={platform.Address}");

        Assert.InRange(lines.Count, 1, 6);
        Assert.Equal(500, lines[^1].GetProperty("error").GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task A_platform_that_is_not_there_is_an_error_and_no_voter()
    {
        using var answer = await sandbox.Client.PostAsync(
            "/sandbox/voters?count=1&host=http://127.0.0.1:1", null, Cancel);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("\"error\"", await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("count=0")]
    [InlineData("count=10001")]
    [InlineData("count=-1")]
    [InlineData("count=1e3")]
    [InlineData("count=1&count=2")]
    [InlineData("count=1&verified=yes")]
    [InlineData("count=1&country=br")]
    [InlineData("count=1&age=-1")]
    [InlineData("count=1&host=http://platform.example")]
    [InlineData("count=1&colour=red")]
    public async Task A_parameter_that_makes_no_sense_is_refused(string query)
    {
        using var answer = await sandbox.Client.PostAsync($"/sandbox/voters?{query}", null, Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private async Task<List<JsonElement>> AskAsync(string query)
    {
        using var answer = await sandbox.Client.PostAsync($"/sandbox/voters?{query}", null, Cancel);
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
    }
}
