using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Testing;

namespace VotingTests;

public sealed class PublicSurveysTests(SharedSurveys shared, Postgres postgres) : IClassFixture<SharedSurveys>
{
    private readonly SurveyHost _host = shared.Host;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_published_survey_is_read_by_anybody_as_it_was_written()
    {
        var survey = await _host.PublishedAsync();

        var answer = await _host.Public.GetAsync($"/v1/surveys/{survey["id"]}", Cancel);
        var read = await answer.JsonAsync();

        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("published", (string?)read["status"]);
        Assert.NotNull((string?)read["startDate"]);
        Assert.Equal(survey["questions"]!.ToJsonString(), read["questions"]!.ToJsonString());
        Assert.Equal(
            "id title status startDate finishDate resultsVisibility liveBatchMin eligibility questions",
            string.Join(' ', read.Select(member => member.Key)));
    }

    [Fact]
    public async Task A_draft_does_not_exist_for_the_public_and_no_cache_keeps_that()
    {
        var survey = await _host.CreateAsync();
        var path = $"/v1/surveys/{survey["id"]}";

        var answer = await _host.Public.GetAsync(path, Cancel);

        Assert.True(answer.Headers.CacheControl?.NoStore);
        await answer.ProblemAsync(404, "not-found");
        await _host.OrderAsync(survey, "publish");
        Assert.Equal(HttpStatusCode.OK, (await _host.Public.GetAsync(path, Cancel)).StatusCode);
    }

    [Fact]
    public async Task A_survey_is_read_on_while_it_closes_and_once_it_is_finished()
    {
        var survey = await _host.PublishedAsync();
        await _host.OrderAsync(survey, "finish");
        var closing = await (await _host.Public.GetAsync($"/v1/surveys/{survey["id"]}", Cancel)).JsonAsync();
        await _host.FinalizeAsync(survey);
        var finished = await (await _host.Public.GetAsync($"/v1/surveys/{survey["id"]}", Cancel)).JsonAsync();

        Assert.Equal("closing", (string?)closing["status"]);
        Assert.NotNull((string?)closing["finishDate"]);
        Assert.Equal("finished", (string?)finished["status"]);
    }

    [Fact]
    public async Task The_tag_stays_while_the_survey_does_and_a_known_one_is_not_sent_again()
    {
        var survey = await _host.PublishedAsync();
        var path = $"/v1/surveys/{survey["id"]}";
        var first = await _host.Public.GetAsync(path, Cancel);
        var tag = first.Headers.ETag!.ToString();

        var control = first.Headers.CacheControl!.ToString();
        Assert.Contains("public", control);
        Assert.Contains("stale-while-revalidate=", control);
        Assert.InRange(first.Headers.CacheControl.MaxAge!.Value.TotalSeconds, 1, 2);
        foreach (var known in new[] { tag, $"W/{tag}", $"\"other\", {tag}", "*" })
        {
            var answer = await GetAsync(path, known);
            Assert.Equal(HttpStatusCode.NotModified, answer.StatusCode);
            Assert.Equal(tag, answer.Headers.ETag?.ToString());
            Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Cancel));
        }

        foreach (var unknown in new[] { "\"other\"", "nonsense", $"{tag}x", "" })
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(path, unknown)).StatusCode);

        await _host.OrderAsync(survey, "finish");
        var changed = await GetAsync(path, tag);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.NotEqual(tag, changed.Headers.ETag?.ToString());
    }

    [Fact]
    public async Task The_list_has_open_surveys_only_newest_published_first_page_by_page()
    {
        await using var host = await SurveyHost.StartAsync(postgres);
        var made = new List<JsonObject>();
        for (var i = 0; i < 7; i++) made.Add(await host.CreateAsync(Titled($"Survey {i}")));
        foreach (var i in new[] { 3, 0, 5, 1, 4 }) await host.OrderAsync(made[i], "publish");
        await host.OrderAsync(made[5], "finish");

        var (titles, pages, next) = (new List<string>(), 0, (string?)null);
        do
        {
            var path = $"/v1/surveys?limit=2{(next is null ? "" : $"&cursor={next}")}";
            var page = await (await host.Public.GetAsync(path, Cancel)).JsonAsync();
            titles.AddRange(page["items"]!.AsArray().Select(item => (string)item!["title"]!));
            Assert.All(page["items"]!.AsArray(), item => Assert.Equal("published", (string?)item!["status"]));
            (next, pages) = ((string?)page["next"], pages + 1);
        }
        while (next is not null);

        Assert.Equal(["Survey 4", "Survey 1", "Survey 0", "Survey 3"], titles);
        Assert.Equal(2, pages);
    }

    [Fact]
    public async Task A_page_goes_on_where_the_last_one_ended_whatever_opens_or_closes_meanwhile()
    {
        await using var host = await SurveyHost.StartAsync(postgres);
        var made = new List<JsonObject>();
        for (var i = 0; i < 4; i++) made.Add(await host.PublishedAsync(Titled($"Survey {i}")));
        var first = await (await host.Public.GetAsync("/v1/surveys?limit=2", Cancel)).JsonAsync();
        await host.PublishedAsync(Titled("Newer"));
        await host.OrderAsync(made[2], "finish");

        var second = await (await host.Public.GetAsync($"/v1/surveys?cursor={first["next"]}", Cancel)).JsonAsync();

        Assert.Equal(["Survey 1", "Survey 0"], second["items"]!.AsArray().Select(item => (string)item!["title"]!));
        Assert.Null(second["next"]);
    }

    [Fact]
    public async Task The_list_may_be_cached_too()
    {
        var answer = await _host.Public.GetAsync("/v1/surveys", Cancel);
        var known = await GetAsync("/v1/surveys", answer.Headers.ETag!.ToString());
        await _host.PublishedAsync();
        var changed = await GetAsync("/v1/surveys", answer.Headers.ETag.ToString());

        Assert.Contains("public", answer.Headers.CacheControl!.ToString());
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
    }

    [Fact]
    public async Task Nothing_of_the_public_answers_on_the_internal_listener()
    {
        var survey = await _host.PublishedAsync();

        await (await _host.Manager.GetAsync("/v1/surveys", Cancel)).ProblemAsync(404, "not-found");
        await (await _host.Manager.GetAsync($"/v1/surveys/{survey["id"]}", Cancel)).ProblemAsync(404, "not-found");
        await (await _host.Public.PostAsync("/v1/internal/surveys", JsonContent.Create(Bodies.Survey()), Cancel))
            .ProblemAsync(404, "not-found");
    }

    private static JsonObject Titled(string title) => Bodies.Survey(body => body["title"] = title);

    private async Task<HttpResponseMessage> GetAsync(string path, string ifNoneMatch)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("If-None-Match", ifNoneMatch);
        return await _host.Public.SendAsync(request, Cancel);
    }
}
