using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Platform;
using Testing;
using Voting;

namespace VotingTests;

public sealed class WriteSurveyTests(SharedSurveys shared, Postgres postgres) : IClassFixture<SharedSurveys>
{
    private readonly SurveyHost _host = shared.Host;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_created_survey_is_answered_with_its_address_its_ids_and_what_was_sent()
    {
        var answer = await PostAsync(Bodies.Survey());
        var survey = await answer.JsonAsync();

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal($"/v1/internal/surveys/{survey["id"]}", answer.Headers.Location?.ToString());
        Assert.True(answer.Headers.CacheControl?.NoStore);
        Assert.Equal("draft", (string?)survey["status"]);
        Assert.True(survey.ContainsKey("startDate") && survey["startDate"] is null);
        Assert.True(survey.ContainsKey("finishDate") && survey["finishDate"] is null);
        Assert.Equal("live", (string?)survey["resultsVisibility"]);
        Assert.Equal(1, (int?)survey["liveBatchMin"]);
        Assert.Equal("""{"verified":true}""", survey["eligibility"]!.ToJsonString());
        Assert.False(survey.ContainsKey("opensAt"));
        Assert.Equal("Who would you vote for president?", (string?)survey.Question()["title"]);
        Assert.Equal(1, (int?)survey.Question()["min"]);
        Assert.Equal(2, (int?)survey.Question()["max"]);
        Assert.Equal(0, (int?)survey.Question()["order"]);
        Assert.False((bool)survey.Question()["allowText"]!);
        Assert.Equal("https://example.com/ned.jpg", (string?)survey.Option(1)["image"]);
        Assert.True(JsonBody.TryParseId((string?)survey.Option(1)["id"], out _));
        await AssertReadsAsync(survey);
    }

    [Fact]
    public async Task Every_optional_member_comes_back_as_it_was_sent()
    {
        var survey = await _host.CreateAsync(Bodies.Survey(body =>
        {
            body["resultsVisibility"] = "afterFinish";
            body["liveBatchMin"] = 10_000;
            body["opensAt"] = "2030-01-15T10:30:00.1239Z";
            body["closesAt"] = "2030-01-15T13:30:00+02:00";
            body["eligibility"] = Bodies.Parse(
                """{"verified":true,"countries":["BR","PT"],"minimumAge":16,"group":"name"}""");
            body.Question()["allowText"] = true;
            body.Option().Remove("image");
            body.Option(1)["image"] = null;
            body.Option(1)["text"] = "\u00fcber \U0001F5F3\uFE0F";
        }));

        Assert.Equal("afterFinish", (string?)survey["resultsVisibility"]);
        Assert.Equal(10_000, (int?)survey["liveBatchMin"]);
        Assert.Equal("2030-01-15T10:30:00.123Z", (string?)survey["opensAt"]);
        Assert.Equal("2030-01-15T11:30:00.000Z", (string?)survey["closesAt"]);
        Assert.Equal(
            """{"verified":true,"countries":["BR","PT"],"minimumAge":16,"group":"name"}""",
            survey["eligibility"]!.ToJsonString());
        Assert.True((bool?)survey.Question()["allowText"]);
        Assert.False(survey.Option().ContainsKey("image"));
        Assert.False(survey.Option(1).ContainsKey("image"));
        Assert.Equal("\u00fcber \U0001F5F3\uFE0F", (string?)survey.Option(1)["text"]);
        await AssertReadsAsync(survey);
    }

    [Fact]
    public async Task Questions_and_options_are_answered_by_their_order()
    {
        var survey = await _host.CreateAsync(Bodies.Survey(body =>
        {
            body.Question()["order"] = 7;
            body.Option()["order"] = 9_999;
            body["questions"]!.AsArray().Add(Bodies.NewQuestion("First", 3));
        }));

        Assert.Equal(["First", "Who would you vote for president?"], Titles(survey));
        Assert.Equal("Ned Flanders", (string?)survey.Option(0, 1)["text"]);
        await AssertReadsAsync(survey);
    }

    [Fact]
    public async Task A_deleted_draft_is_gone_whole()
    {
        var survey = await _host.CreateAsync();
        var path = $"/v1/internal/surveys/{survey["id"]}";

        var answer = await _host.Manager.DeleteAsync(path, Cancel);

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal(0, await _host.ScalarAsync<long>(
            $"SELECT count(*) FROM voting.options WHERE id IN ({string.Join(',', Ids(survey))})"));
        await (await _host.Manager.GetAsync(path, Cancel)).ProblemAsync(404, "not-found");
        await (await _host.Manager.DeleteAsync(path, Cancel)).ProblemAsync(404, "not-found");
    }

    [Theory]
    [InlineData("999999999")]
    [InlineData("1000000000")]
    [InlineData("1000000000000000000000000000000")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("01")]
    [InlineData("abc")]
    [InlineData("1%0A")]
    [InlineData("1%2F2")]
    [InlineData("%D9%A1")]
    public async Task An_id_that_is_not_there_is_not_found_whatever_is_asked(string id)
    {
        var path = $"/v1/internal/surveys/{id}";
        HttpResponseMessage[] answers =
        [
            await _host.Manager.GetAsync(path, Cancel),
            await _host.Manager.PutAsync(path, JsonContent.Create(Bodies.Survey()), Cancel),
            await _host.Manager.PutAsync($"{path}/publish", null, Cancel),
            await _host.Manager.PutAsync($"{path}/finish", null, Cancel),
            await _host.Manager.DeleteAsync(path, Cancel),
            await _host.Public.GetAsync($"/v1/surveys/{id}", Cancel),
        ];

        foreach (var answer in answers) await answer.ProblemAsync(404, "not-found");
    }

    [Fact]
    public async Task A_survey_s_secret_is_stored_wrapped_for_that_survey_alone()
    {
        await using var host = await SurveyHost.StartAsync(postgres);
        var (one, other) = (await host.PublishedAsync(), await host.PublishedAsync());
        var masterKey = host.Services.GetRequiredService<MasterKey>();
        var wrapped = await host.ScalarAsync<byte[]>($"SELECT secret FROM voting.surveys WHERE id = {one["id"]}");

        var secret = masterKey.Unwrap(wrapped, SurveySecret.Purpose(int.Parse((string)one["id"]!)));

        Assert.Equal(32, secret.Length);
        Assert.Equal(MacOf(new(secret)), MacOf(host.Directory.Find(int.Parse((string)one["id"]!))!.Secret));
        Assert.NotEqual(MacOf(new(secret)), MacOf(host.Directory.Find(int.Parse((string)other["id"]!))!.Secret));
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(
            () => masterKey.Unwrap(wrapped, SurveySecret.Purpose(int.Parse((string)other["id"]!))));
        Assert.Equal(-1, wrapped.AsSpan().IndexOf(secret));

        static byte[] MacOf(MacKey key)
        {
            var mac = new byte[MacKey.SizeBytes];
            key.Compute("message"u8, mac);
            return mac;
        }
    }

    [Fact]
    public async Task Who_may_do_what_is_as_the_contract_says()
    {
        var survey = await _host.CreateAsync();
        var path = $"/v1/internal/surveys/{survey["id"]}";
        foreach (var role in new[] { StaffRole.Investigator, StaffRole.Auditor })
        {
            using var staff = _host.Staff(role);
            Assert.Equal(HttpStatusCode.OK, (await staff.GetAsync("/v1/internal/surveys", Cancel)).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await staff.GetAsync(path, Cancel)).StatusCode);
            await AssertAllAsync(staff, 403, "forbidden");
        }

        await AssertAllAsync(_host.Anonymous, 401, "unauthenticated");
        await (await _host.Anonymous.GetAsync(path, Cancel)).ProblemAsync(401, "unauthenticated");
        await (await _host.Anonymous.GetAsync("/v1/internal/surveys", Cancel)).ProblemAsync(401, "unauthenticated");
        await (await _host.Public.GetAsync(path, Cancel)).ProblemAsync(404, "not-found");
        using var admin = _host.Staff(StaffRole.Admin);
        Assert.Equal(HttpStatusCode.NoContent, (await admin.DeleteAsync(path, Cancel)).StatusCode);

        async Task AssertAllAsync(HttpClient client, int status, string code)
        {
            await (await client.PostAsync("/v1/internal/surveys", JsonContent.Create(Bodies.Survey()), Cancel))
                .ProblemAsync(status, code);
            await (await client.PutAsync(path, JsonContent.Create(Bodies.Survey()), Cancel)).ProblemAsync(status, code);
            await (await client.PutAsync($"{path}/publish", null, Cancel)).ProblemAsync(status, code);
            await (await client.PutAsync($"{path}/finish", null, Cancel)).ProblemAsync(status, code);
            await (await client.DeleteAsync(path, Cancel)).ProblemAsync(status, code);
        }
    }

    private Task<HttpResponseMessage> PostAsync(JsonObject body) =>
        _host.Manager.PostAsync("/v1/internal/surveys", JsonContent.Create(body), Cancel);

    private Task<HttpResponseMessage> PutAsync(JsonNode id, JsonObject body) =>
        _host.Manager.PutAsync($"/v1/internal/surveys/{id}", JsonContent.Create(body), Cancel);

    private async Task AssertReadsAsync(JsonObject survey)
    {
        var read = await (await _host.Manager.GetAsync($"/v1/internal/surveys/{survey["id"]}", Cancel)).JsonAsync();
        Assert.Equal(survey.ToJsonString(), read.ToJsonString());
    }

    private static string[] Titles(JsonObject survey) =>
        [.. survey["questions"]!.AsArray().Select(question => (string)question!["title"]!)];

    private static int[] Ids(JsonObject survey) =>
        [.. survey["questions"]!.AsArray().SelectMany(question => question!["options"]!.AsArray())
            .Select(option => int.Parse((string)option!["id"]!))];
}
