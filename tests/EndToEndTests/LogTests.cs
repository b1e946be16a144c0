using System.Text.Json;
using Npgsql;
using Testing;

namespace EndToEndTests;

public sealed class LogTests(Site site)
{
    [Fact]
    public async Task Every_line_says_when_what_where_and_in_which_request_and_none_tells_a_secret()
    {
        var settings = new Dictionary<string, string>
        {
            ["Voting__Reservations"] = "in-process",
            ["Logging__LogLevel__Microsoft"] = "Debug",
            ["Logging__LogLevel__Npgsql"] = "Information",
        };
        await using var host = await site.Installation.StartHostAsync("api", settings,
            TestContext.Current.CancellationToken);
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var door = new Door(host.Public);
        await Site.EventuallyAsync(async () => (await door.GetAsync(survey.Public)).Status == 200);
        const string trace = "1af7651916cd43dd8448eb211c80319c";

        var vote = (await door.PostAsync(
            survey.Votes, voter.AccessToken, survey.Ballot(0), ("traceparent", $"00-{trace}-b7ad6b7169203331-01"),
            ("Idempotency-Key", "a-secret-of-the-phone"))).IsJson(202);
        var refreshed = (await door.PostAsync(
            "/v1/auth/refresh", null, $$"""{"refreshToken":"{{voter.RefreshToken}}"}""")).IsJson(200);
        (await door.PostAsync(survey.Votes, $"{voter.AccessToken}x", survey.Ballot(0))).IsProblem("unauthenticated");
        await Site.EventuallyAsync(() =>
            Task.FromResult(host.Lines.Any(line => line.Contains(trace, StringComparison.Ordinal))));

        string[] secrets =
        [
            voter.AccessToken, Signature(voter.AccessToken), voter.RefreshToken, refreshed.Member("refreshToken"),
            Signature(refreshed.Member("accessToken")), Signature(refreshed.Member("idToken")),
            Signature(vote.Member("receipt")),
            Installation.MasterKey, "a-secret-of-the-phone", .. Password(),
        ];
        Assert.All(host.Lines.Concat(site.Host.Lines), line =>
        {
            var json = JsonDocument.Parse(line).RootElement;
            foreach (var name in new[] { "timestamp", "level", "service", "environment", "region", "message" })
                Assert.False(string.IsNullOrEmpty(json.GetProperty(name).GetString()), line);
            Assert.True(json.GetProperty("timestamp").TryGetDateTimeOffset(out var at) && at.Offset == TimeSpan.Zero,
                line);
            Assert.Equal("test", json.GetProperty("environment").GetString());
            Assert.Equal("nowhere-1", json.GetProperty("region").GetString());
            Assert.All(secrets, secret => Assert.DoesNotContain(secret, line, StringComparison.Ordinal));
        });
        Assert.All(host.Lines, line =>
            Assert.Contains("\"service\":\"voting-host/api\"", line, StringComparison.Ordinal));
        Assert.Contains(host.Lines, line => line.Contains($"\"trace_id\":\"{trace}\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_background_loop_that_fails_ends_the_process_with_a_code_that_says_so()
    {
        await using var installation = await Installation.StartAsync(
            site.Postgres, ["all"], Site.Settings, TestContext.Current.CancellationToken);
        var host = installation.Hosts[0];

        const string drop = "DROP TABLE platform.log_partitions CASCADE";
        await using (var command = installation.Database.Source.CreateCommand(drop))
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(Site.Patience);
        Assert.Equal(1, await host.WaitForExitAsync(deadline.Token));
        Assert.Contains(host.Lines, line => line.Contains("\"level\":\"critical\"", StringComparison.Ordinal)
            || line.Contains("\"level\":\"error\"", StringComparison.Ordinal));
        Assert.All(host.Lines, line => Assert.StartsWith("{\"timestamp\"", line, StringComparison.Ordinal));
    }

    private static string Signature(string token) => token.Split('.')[^1];

    private string[] Password() =>
        new NpgsqlConnectionStringBuilder(
            site.Installation.Database.ConnectionString).Password is { Length: > 3 } password
            ? [password] : [];
}
