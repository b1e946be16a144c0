using Testing;

namespace EndToEndTests;

public sealed class LimitTests(Site site)
{
    [Fact]
    public async Task Who_asks_too_much_is_told_when_to_come_again()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        await using var host = await StartAsync(new()
        {
            ["Limits__VoterPerSecond"] = "1",
            ["Limits__VoterBurst"] = "5",
            ["Limits__AddressPerSecond"] = "1",
            ["Limits__AddressBurst"] = "60",
        });
        var door = new Door(host.Public);

        var mine = await UntilAsync(() => door.GetAsync($"{survey.Votes}/mine", voter.AccessToken), 429);
        Assert.Contains("\"voter\";q=5", mine.IsProblem("quota-exceeded").Headers["ratelimit-policy"],
            StringComparison.Ordinal);
        // A token comes back every second: a slow machine may have been given one by now.
        (await UntilAsync(() => door.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0)), 429))
            .IsProblem("quota-exceeded");
        (await door.GetAsync("/v1/surveys")).IsJson(200);
        var all = await UntilAsync(() => door.GetAsync("/v1/surveys"), 429);
        Assert.Contains("\"address\";q=60", all.IsProblem("quota-exceeded").Headers["ratelimit-policy"],
            StringComparison.Ordinal);

        (await new Door(host.Management).GetAsync("/health/live")).Is(200);
        (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsProblem("not-found");
    }

    [Fact]
    public async Task What_cannot_be_served_now_says_when_to_come_again()
    {
        var survey = await site.OpenSurveyAsync();
        await using var host = await StartAsync(new()
        {
            ["Results__ConnectionCountMax"] = "1",
            ["Identity__Providers__Google__Authority"] = "http://127.0.0.1:1/google",
        });
        var door = new Door(host.Public);

        using var request = new HttpRequestMessage(HttpMethod.Get, $"{survey.Public}/results/stream");
        using var first = await host.Public.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)first.StatusCode);
        (await door.GetAsync($"{survey.Public}/results/stream")).IsProblem("overloaded");
        using var minted = await site.Installation.Sandbox.PostAsync(
            "/sandbox/google/id-token", null, TestContext.Current.CancellationToken);
        var token = System.Text.Json.JsonDocument.Parse(
            await minted.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        string Text(string name) => token.GetProperty(name).GetString()!;
        var body = $$"""{"idToken":"{{Text("idToken")}}","nonce":"{{Text("nonce")}}"}""";
        (await door.PostAsync("/v1/auth/google/token", null, body)).IsProblem("provider-unavailable").IsNotStored();
    }

    private Task<HostProcess> StartAsync(Dictionary<string, string> settings)
    {
        settings["Voting__Reservations"] = "in-process";
        return site.Installation.StartHostAsync("api,sse", settings, TestContext.Current.CancellationToken);
    }

    private static async Task<Answer> UntilAsync(Func<Task<Answer>> ask, int status)
    {
        for (var i = 0; i < 200; i++)
        {
            var answer = await ask();
            if (answer.Status == status) return answer;
        }

        throw new InvalidOperationException($"200 requests, and none was answered {status}.");
    }
}
