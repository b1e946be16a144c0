using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Testing;

namespace VotingTests;

public sealed class PublishSurveyTests(SharedSurveys shared, Postgres postgres) : IClassFixture<SharedSurveys>
{
    private readonly SurveyHost _host = shared.Host;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_and_finish_set_their_dates_and_say_so_in_the_contract_s_form()
    {
        var survey = await _host.CreateAsync();
        var published = await _host.OrderAsync(survey, "publish");
        var read = await ReadAsync(survey);
        var finished = await _host.OrderAsync(survey, "finish");
        var readAgain = await ReadAsync(survey);

        Assert.Equal(["id", "title", "startDate", "finishDate"], published.Select(member => member.Key));
        Assert.True(DateTime.TryParseExact(
            (string?)published["startDate"], "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", null, DateTimeStyles.None, out _));
        Assert.Null(published["finishDate"]);
        Assert.Equal((string?)survey["id"], (string?)published["id"]);
        Assert.Equal("Elections Survey", (string?)published["title"]);
        Assert.Equal("published", (string?)read["status"]);
        Assert.Equal((string?)published["startDate"], (string?)read["startDate"]);
        Assert.Equal((string?)published["startDate"], (string?)finished["startDate"]);
        Assert.Equal("closing", (string?)readAgain["status"]);
        Assert.Equal((string?)finished["finishDate"], (string?)readAgain["finishDate"]);
        Assert.True(await _host.ScalarAsync<bool>($"""
            SELECT closing_at = finish_date AND finish_date >= start_date AND finish_date <= now()
            FROM voting.surveys WHERE id = {survey["id"]}
            """));
        Assert.Equal(survey["questions"]!.ToJsonString(), readAgain["questions"]!.ToJsonString());
    }

    [Fact]
    public async Task A_repeat_says_the_same_again_even_after_the_next_step()
    {
        var survey = await _host.CreateAsync();
        var published = await _host.OrderAsync(survey, "publish");
        var again = await _host.OrderAsync(survey, "publish");
        var finished = await _host.OrderAsync(survey, "finish");
        var finishedAgain = await _host.OrderAsync(survey, "finish");
        var publishedAgain = await _host.OrderAsync(survey, "publish");

        Assert.Equal(published.ToJsonString(), again.ToJsonString());
        Assert.Equal(finished.ToJsonString(), finishedAgain.ToJsonString());
        Assert.Equal(finished.ToJsonString(), publishedAgain.ToJsonString());
        Assert.Equal("closing", (string?)(await ReadAsync(survey))["status"]);
    }

    [Theory]
    [InlineData("publish")]
    [InlineData("finish")]
    public async Task Concurrent_repeats_have_one_effect_and_one_answer(string order)
    {
        var survey = await _host.CreateAsync();
        if (order == "finish") await _host.OrderAsync(survey, "publish");
        var before = await RevisionAsync(survey);
        var others = await _host.ScalarAsync<long>("SELECT value FROM voting.survey_revision");

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => _host.OrderAsync(survey, order)));

        Assert.Single(answers.Select(answer => answer.ToJsonString()).Distinct());
        Assert.True(before <= others);
        Assert.Equal(others + 1, await RevisionAsync(survey));
    }

    [Fact]
    public async Task A_draft_cannot_be_finished()
    {
        var survey = await _host.CreateAsync();

        var answer = await _host.Manager.PutAsync($"/v1/internal/surveys/{survey["id"]}/finish", null, Cancel);

        await answer.ProblemAsync(409, "survey-not-open");
        Assert.Equal("draft", (string?)(await ReadAsync(survey))["status"]);
    }

    [Fact]
    public async Task A_survey_whose_closing_has_passed_cannot_be_published()
    {
        var survey = await _host.CreateAsync(Bodies.Survey(body => body["closesAt"] = "2020-01-01T00:00:00Z"));

        var answer = await _host.Manager.PutAsync($"/v1/internal/surveys/{survey["id"]}/publish", null, Cancel);

        var problem = await answer.ProblemAsync(422, "invalid-survey");
        Assert.NotNull(problem["errors"]!["closesAt"]);
        Assert.Equal("draft", (string?)(await ReadAsync(survey))["status"]);
    }

    [Fact]
    public async Task An_update_that_races_publication_is_in_it_or_refused()
    {
        for (var round = 0; round < 12; round++)
        {
            var survey = await _host.CreateAsync();
            var update = survey.ToUpdate();
            update["title"] = "Changed";
            update.Option()["text"] = "Changed";
            var put = _host.Manager.PutAsync(
                $"/v1/internal/surveys/{survey["id"]}", JsonContent.Create(update), Cancel);
            var published = await _host.OrderAsync(survey, "publish");
            var answer = await put;

            var read = await ReadAsync(survey);
            var seen = _host.Directory.Find(int.Parse((string)survey["id"]!))!.Description;
            Assert.Equal((string?)published["title"], (string?)read["title"]);
            Assert.Equal((string?)read["title"], seen.Title);
            Assert.Equal((string?)read.Option()["text"], seen.Questions[0].Options[0].Text);
            if (answer.StatusCode is HttpStatusCode.OK) Assert.Equal("Changed", (string?)read.Option()["text"]);
            else await answer.ProblemAsync(409, "survey-not-draft");
            Assert.Equal((string?)read["title"] == "Changed", (string?)read.Option()["text"] == "Changed");
        }
    }

    [Fact]
    public async Task A_deletion_that_races_publication_leaves_all_or_nothing()
    {
        for (var round = 0; round < 12; round++)
        {
            var survey = await _host.CreateAsync();
            var path = $"/v1/internal/surveys/{survey["id"]}";
            var delete = _host.Manager.DeleteAsync(path, Cancel);
            var publish = await _host.Manager.PutAsync($"{path}/publish", null, Cancel);
            var deleted = (await delete).StatusCode;

            Assert.Contains(
                (deleted, publish.StatusCode),
                new List<(HttpStatusCode, HttpStatusCode)>
                {
                    (HttpStatusCode.NoContent, HttpStatusCode.NotFound), (HttpStatusCode.Conflict, HttpStatusCode.OK),
                });
            Assert.Equal(
                publish.StatusCode is HttpStatusCode.OK ? 2L : 0L,
                await _host.ScalarAsync<long>(
                    $"SELECT count(*) FROM voting.options WHERE question_id = {survey.Question()["id"]}"));
        }
    }

    [Fact]
    public async Task Staff_list_all_surveys_newest_first_page_by_page()
    {
        await using var host = await SurveyHost.StartAsync(postgres);
        var made = new List<string>();
        for (var i = 0; i < 5; i++) made.Insert(0, (string)(await host.CreateAsync())["id"]!);
        await host.OrderAsync(Bodies.Parse($$"""{"id":"{{made[1]}}"}"""), "publish");

        var (listed, pages, next) = (new List<string>(), 0, (string?)null);
        do
        {
            var path = $"/v1/internal/surveys?limit=2{(next is null ? "" : $"&cursor={next}")}";
            var page = await (await host.Manager.GetAsync(path, Cancel)).JsonAsync();
            listed.AddRange(page["items"]!.AsArray().Select(item => (string)item!["id"]!));
            (next, pages) = ((string?)page["next"], pages + 1);
        }
        while (next is not null);

        Assert.Equal(made, listed);
        Assert.Equal(3, pages);
        var whole = await (await host.Manager.GetAsync("/v1/internal/surveys", Cancel)).JsonAsync();
        Assert.Equal(["draft", "published", "draft", "draft", "draft"],
            whole["items"]!.AsArray().Select(item => (string)item!["status"]!));
        Assert.True(whole.ContainsKey("next") && whole["next"] is null);
    }

    private async Task<JsonObject> ReadAsync(JsonObject survey) =>
        await (await _host.Manager.GetAsync($"/v1/internal/surveys/{survey["id"]}", Cancel)).JsonAsync();

    private Task<long> RevisionAsync(JsonObject survey) =>
        _host.ScalarAsync<long>($"SELECT revision FROM voting.surveys WHERE id = {survey["id"]}");
}
