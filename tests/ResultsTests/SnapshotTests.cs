using System.Net;
using System.Net.Http.Headers;
using Voting.Contracts;

namespace ResultsTests;

public sealed class SnapshotTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_snapshot_is_as_the_contract_has_it_to_the_byte()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [new(1, 0, 8000, 85, [1, 2], [80, 7]), new(1, 3, 123, 5, [1], [5])];

        var answer = await site.Http.GetAsync("/v1/surveys/1/results", Cancel);

        Assert.Equal("application/json; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
        Assert.Equal(
            "{\"survey\":{\"id\":\"1\",\"title\":\"Elections Survey\"},\"totalResponses\":90,\"status\":\"published\","
            + "\"version\":8123,\"asOf\":\"2026-01-15T10:30:00.250Z\",\"questions\":[{\"id\":\"1\","
            + "\"title\":\"Who would you vote for president?\",\"order\":0,\"options\":["
            + "{\"id\":\"1\",\"text\":\"Homer Simpson\","
            + "\"image\":\"https://example.com/homer.jpg\",\"order\":0,\"votes\":85},"
            + "{\"id\":\"2\",\"text\":\"Ned “Neddy” Flanders\",\"order\":1,\"votes\":7}]}]}",
            await answer.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Questions_and_options_stand_in_their_order()
    {
        await using var site = await Site.StartAsync();
        var survey = Samples.Survey();
        var question = survey.Questions[0];
        site.Surveys[1] = survey with
        {
            Questions =
            [
                question with { Id = 9, Order = 3, Options = [new(8, "b", null, 5), new(7, "a", null, 4)] }, question,
            ],
        };
        site.Rows[1] = [new(1, 0, 3, 1, [1, 7], [1, 2])];

        using var stream = await EventStream.OpenAsync(site);
        var tally = await stream.TallyAsync();

        Assert.Equal(
            """[{"id":"1","options":[{"id":"1","votes":1},{"id":"2","votes":0}]},"""
            + """{"id":"9","options":[{"id":"7","votes":2},{"id":"8","votes":0}]}]""",
            tally.GetProperty("questions").GetRawText());
    }

    [Fact]
    public async Task A_cache_may_keep_a_live_result_briefly_and_a_final_one_longer()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Surveys[2] = Samples.Survey(id: 2).Final(version: 10, votes: 10);

        var live = await site.Http.GetAsync("/v1/surveys/1/results", Cancel);
        var final = await site.Http.GetAsync("/v1/surveys/2/results", Cancel);

        Assert.Equal("public, max-age=1, stale-while-revalidate=2", live.Headers.CacheControl?.ToString());
        Assert.Equal("public, max-age=3600, stale-while-revalidate=7200", final.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task An_unchanged_result_is_304_until_its_version_or_its_status_changes()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        var known = (await site.Http.GetAsync("/v1/surveys/1/results", Cancel)).Headers.ETag!;

        var same = await AskAsync(known);
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        Assert.Equal(known, same.Headers.ETag);
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(new("\"other\""), known)).StatusCode);
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(EntityTagHeaderValue.Any)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(new EntityTagHeaderValue("\"other\""))).StatusCode);

        await site.CountAndTurnAsync(Samples.Tally(version: 1, votes: 1));
        var counted = await AskAsync(known);
        site.Surveys[1] = Samples.Survey().Closing();
        await site.TurnAsync();
        var closing = await AskAsync(counted.Headers.ETag!);

        Assert.Equal(HttpStatusCode.OK, counted.StatusCode);
        Assert.Equal(HttpStatusCode.OK, closing.StatusCode);

        async Task<HttpResponseMessage> AskAsync(params EntityTagHeaderValue[] etags)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/surveys/1/results");
            foreach (var etag in etags) request.Headers.IfNoneMatch.Add(etag);
            return await site.Http.SendAsync(request, Cancel);
        }
    }

    [Fact]
    public async Task A_final_result_is_the_signed_one_and_never_changes()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [Samples.Tally(version: 99, votes: 50)];
        await site.Http.GetStringAsync("/v1/surveys/1/results", Cancel);

        site.Surveys[1] = Samples.Survey().Final(version: 120, votes: 77);
        await site.TurnAsync();
        var first = await site.Http.GetStringAsync("/v1/surveys/1/results", Cancel);
        await site.CountAndTurnAsync(Samples.Tally(version: 500, votes: 400));
        site.Surveys[1] = Samples.Survey();
        await site.TurnAsync();
        var second = await site.Http.GetStringAsync("/v1/surveys/1/results", Cancel);

        Assert.Contains(
            "\"totalResponses\":77,\"status\":\"final\",\"version\":120,\"asOf\":\"2026-01-15T12:00:00.005Z\"",
            first, StringComparison.Ordinal);
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task Hidden_results_are_refused_to_the_public_and_shown_to_staff()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey(visibility: ResultsVisibility.AfterFinish);
        site.Rows[1] = [Samples.Tally(version: 10, votes: 10)];

        var visitor = await site.Http.GetAsync("/v1/surveys/1/results", Cancel);
        var staff = await AsStaffAsync(site, "auditor");

        Assert.Equal(HttpStatusCode.Forbidden, visitor.StatusCode);
        Assert.Contains("https://errors.voting/results-hidden", await visitor.Content.ReadAsStringAsync(Cancel),
            StringComparison.Ordinal);
        Assert.Contains("\"totalResponses\":10", await staff.Content.ReadAsStringAsync(Cancel),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("manager", HttpStatusCode.OK)]
    [InlineData("investigator", HttpStatusCode.OK)]
    [InlineData("auditor", HttpStatusCode.OK)]
    [InlineData("admin", HttpStatusCode.OK)]
    [InlineData("voter", HttpStatusCode.Forbidden)]
    [InlineData("", HttpStatusCode.Unauthorized)]
    public async Task Results_for_staff_are_for_staff(string role, HttpStatusCode expected)
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();

        Assert.Equal(expected, (await AsStaffAsync(site, role)).StatusCode);
    }

    [Theory]
    [InlineData("2")]
    [InlineData("abc")]
    [InlineData("01")]
    [InlineData("-1")]
    [InlineData("1000000000000000000000000000000")]
    public async Task A_survey_that_is_not_there_is_404_and_takes_up_nothing(string id)
    {
        await using var site = await Site.StartAsync();

        var visitor = await site.Http.GetAsync($"/v1/surveys/{id}/results", Cancel);
        var staff = await AsStaffAsync(site, "manager", id);

        Assert.Equal(HttpStatusCode.NotFound, visitor.StatusCode);
        Assert.Contains("https://errors.voting/not-found", await visitor.Content.ReadAsStringAsync(Cancel),
            StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, staff.StatusCode);
        Assert.Equal(0, site.Count("results.surveys"));
    }

    private static async Task<HttpResponseMessage> AsStaffAsync(Site site, string role, string id = "1")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/internal/surveys/{id}/results");
        request.Headers.Add("X-Role", role);
        return await site.Http.SendAsync(request, Cancel);
    }
}
