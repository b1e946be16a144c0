using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EndToEndTests;

public sealed class StaffSurveyTests(Site site)
{
    [Fact]
    public async Task A_created_survey_is_answered_with_its_address_its_ids_and_what_was_sent()
    {
        var answer = (await site.Internal.PostAsync("/v1/internal/surveys", site.Manager, Samples.Elections))
            .IsJson(201);

        var survey = answer.IsNotStored().Json;
        var id = survey.GetProperty("id").GetString();
        Assert.Equal($"/v1/internal/surveys/{id}", answer.Headers["location"]);
        Assert.Matches("^[1-9][0-9]*$", id);
        Assert.Equal("Elections Survey", survey.GetProperty("title").GetString());
        Assert.Equal("draft", survey.GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.Null, survey.GetProperty("startDate").ValueKind);
        Assert.Equal(JsonValueKind.Null, survey.GetProperty("finishDate").ValueKind);
        Assert.Equal("live", survey.GetProperty("resultsVisibility").GetString());
        Assert.Equal(1, survey.GetProperty("liveBatchMin").GetInt32());
        Assert.Equal("""{"verified":true}""", survey.GetProperty("eligibility").GetRawText());
        var question = survey.GetProperty("questions")[0];
        Assert.Matches("^[1-9][0-9]*$", question.GetProperty("id").GetString());
        Assert.Equal("Who would you vote for president?", question.GetProperty("title").GetString());
        Assert.Equal((1, 2, 0), (Number(question, "min"), Number(question, "max"), Number(question, "order")));
        Assert.False(question.GetProperty("allowText").GetBoolean());
        var option = question.GetProperty("options")[0];
        Assert.Matches("^[1-9][0-9]*$", option.GetProperty("id").GetString());
        Assert.Equal("Homer Simpson", option.GetProperty("text").GetString());
        Assert.Equal("https://example.com/homer.jpg", option.GetProperty("image").GetString());
        Assert.Equal(0, Number(option, "order"));

        var read = (await site.Internal.GetAsync($"/v1/internal/surveys/{id}", site.Manager)).IsJson(200);
        Assert.Equal(survey.GetRawText(), read.Json.GetRawText());
    }

    [Fact]
    public async Task Every_optional_member_comes_back_as_it_was_sent()
    {
        var body = JsonNode.Parse(Samples.Elections)!.AsObject();
        body["resultsVisibility"] = "afterFinish";
        body["liveBatchMin"] = 10_000;
        body["opensAt"] = "2500-01-01T00:00:00Z";
        body["closesAt"] = "2500-01-02T01:00:00+01:00";
        body["eligibility"] = JsonNode.Parse("""{"verified":true,"countries":["BR"],"minimumAge":16,"group":"name"}""");

        var survey = (await site.DraftAsync(body.ToJsonString())).Json;

        Assert.Equal("afterFinish", survey.GetProperty("resultsVisibility").GetString());
        Assert.Equal(10_000, Number(survey, "liveBatchMin"));
        Assert.Equal("2500-01-01T00:00:00.000Z", survey.GetProperty("opensAt").GetString());
        Assert.Equal("2500-01-02T00:00:00.000Z", survey.GetProperty("closesAt").GetString());
        Assert.Equal(
            """{"verified":true,"countries":["BR"],"minimumAge":16,"group":"name"}""",
            survey.GetProperty("eligibility").GetRawText());
    }

    [Fact]
    public async Task An_update_changes_what_has_an_id_adds_what_has_none_and_deletes_what_is_left_out()
    {
        var draft = await site.DraftAsync();
        var update = $$"""
            { "title": "Renamed", "questions": [ { "id": "{{draft.Question(0)}}", "title": "Who?",
              "min": 0, "max": 1, "order": 5,
              "options": [ { "id": "{{draft.Option(0, 1)}}", "text": "Ned", "order": 1 },
              { "text": "New", "order": 2 } ] } ] }
            """;

        var survey = (await site.Internal.PutAsync(draft.Internal, site.Manager, update)).IsJson(200).Json;

        Assert.Equal(draft.Id, survey.GetProperty("id").GetString());
        Assert.Equal("Renamed", survey.GetProperty("title").GetString());
        var question = Assert.Single(survey.GetProperty("questions").EnumerateArray());
        Assert.Equal(draft.Question(0), question.GetProperty("id").GetString());
        var options = question.GetProperty("options").EnumerateArray().ToArray();
        Assert.Equal(2, options.Length);
        Assert.Equal(draft.Option(0, 1), options[0].GetProperty("id").GetString());
        Assert.Equal("Ned", options[0].GetProperty("text").GetString());
        Assert.False(options[0].TryGetProperty("image", out _));
        var newest = int.Parse(options[1].GetProperty("id").GetString()!, CultureInfo.InvariantCulture);
        Assert.True(newest > int.Parse(draft.Option(1, 1), CultureInfo.InvariantCulture), "An id was given out twice.");
    }

    [Fact]
    public async Task An_update_that_names_another_surveys_ids_is_refused()
    {
        var (mine, other) = (await site.DraftAsync(), await site.DraftAsync());
        var update = $$"""
            { "title": "Theft", "questions": [ { "id": "{{other.Question(0)}}", "title": "Who?",
              "min": 0, "max": 1, "order": 0,
              "options": [ { "id": "{{mine.Option(0, 0)}}", "text": "A", "order": 0 },
              { "text": "B", "order": 1 } ] } ] }
            """;

        var answer = await site.Internal.PutAsync(mine.Internal, site.Manager, update);

        answer.IsProblem("invalid-survey").Names("questions[0].id", "questions[0].options[0].id");
        var kept = await site.Internal.GetAsync(mine.Internal, site.Manager);
        Assert.Equal(mine.Json.GetRawText(), kept.Json.GetRawText());
    }

    [Fact]
    public async Task Publishing_and_finishing_answer_the_dates_and_repeats_say_the_same()
    {
        var draft = await site.DraftAsync();

        var published = (await site.Internal.PutAsync($"{draft.Internal}/publish", site.Manager)).IsJson(200);
        var again = (await site.Internal.PutAsync($"{draft.Internal}/publish", site.Manager)).IsJson(200);

        Assert.Equal(["id", "title", "startDate", "finishDate"], Members(published.Json));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", published.Member("startDate"));
        Assert.Equal(JsonValueKind.Null, published.Json.GetProperty("finishDate").ValueKind);
        Assert.Equal(published.Text, again.Text);

        var finished = (await site.Internal.PutAsync($"{draft.Internal}/finish", site.Manager)).IsJson(200);
        var finishedAgain = (await site.Internal.PutAsync($"{draft.Internal}/finish", site.Manager)).IsJson(200);
        Assert.Equal(published.Member("startDate"), finished.Member("startDate"));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", finished.Member("finishDate"));
        Assert.Equal(finished.Text, finishedAgain.Text);
    }

    [Fact]
    public async Task What_is_no_draft_any_more_cannot_be_changed_or_deleted()
    {
        var survey = await site.OpenSurveyAsync();

        (await site.Internal.PutAsync(survey.Internal, site.Manager, Samples.Elections)).IsProblem("survey-not-draft");
        (await site.Internal.DeleteAsync(survey.Internal, site.Manager)).IsProblem("survey-not-draft");
        await site.Internal.PutAsync($"{survey.Internal}/finish", site.Manager);
        (await site.Internal.PutAsync(survey.Internal, site.Manager, Samples.Elections)).IsProblem("survey-not-draft");
        (await site.Internal.DeleteAsync(survey.Internal, site.Manager)).IsProblem("survey-not-draft");
    }

    [Fact]
    public async Task A_draft_can_be_deleted_but_not_finished()
    {
        var draft = await site.DraftAsync();

        (await site.Internal.PutAsync($"{draft.Internal}/finish", site.Manager)).IsProblem("survey-not-open");
        Assert.Empty((await site.Internal.DeleteAsync(draft.Internal, site.Manager)).Is(204).Bytes);
        (await site.Internal.DeleteAsync(draft.Internal, site.Manager)).IsProblem("not-found");
        (await site.Internal.GetAsync(draft.Internal, site.Manager)).IsProblem("not-found");
        (await site.Internal.PutAsync($"{draft.Internal}/publish", site.Manager)).IsProblem("not-found");
    }

    [Fact]
    public async Task The_list_is_paged_newest_first_and_shows_drafts()
    {
        var drafts = new[] { await site.DraftAsync(), await site.DraftAsync(), await site.DraftAsync() };

        var seen = new List<string>();
        for (var path = "/v1/internal/surveys?limit=2"; path.Length > 0;)
        {
            var page = (await site.Internal.GetAsync(path, site.Manager)).IsJson(200).IsNotStored().Json;
            Assert.Equal(["items", "next"], Members(page));
            seen.AddRange(
                page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()!));
            path = page.GetProperty("next").GetString() is { } next ? $"/v1/internal/surveys?limit=2&cursor={next}"
                : "";
        }

        Assert.Equal(seen.Distinct(), seen);
        Assert.Equal(drafts.Reverse().Select(draft => draft.Id), seen.Where(drafts.Select(draft => draft.Id).Contains));
    }

    [Theory]
    [InlineData("title", """ "" """, 422)]
    [InlineData("questions", "[]", 422)]
    [InlineData("liveBatchMin", "0", 422)]
    [InlineData("liveBatchMin", "10001", 422)]
    [InlineData("resultsVisibility", "\"never\"", 400)]
    [InlineData("opensAt", "\"tomorrow\"", 400)]
    [InlineData("eligibility", """{"verified":true,"countries":["XX"]}""", 422)]
    public async Task A_survey_that_breaks_a_rule_is_refused_by_the_member(string member, string json, int status)
    {
        var body = JsonNode.Parse(Samples.Elections)!.AsObject();
        body[member] = JsonNode.Parse(json);

        var answer = await site.Internal.PostAsync("/v1/internal/surveys", site.Manager, body.ToJsonString());

        answer.IsProblem(status == 422 ? "invalid-survey" : "malformed-request");
        var named = Assert.Single(answer.Json.GetProperty("errors").EnumerateObject()).Name;
        Assert.StartsWith(member, named, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"title":"Q","min":2,"max":1,"order":0,"options":[{"text":"A","order":0},{"text":"B","order":1}]}""",
        "questions[0].max")]
    [InlineData("""{"title":"Q","min":0,"max":3,"order":0,"options":[{"text":"A","order":0},{"text":"B","order":1}]}""",
        "questions[0].max")]
    [InlineData(
        """{"title":"Q","min":-1,"max":1,"order":0,"options":[{"text":"A","order":0},{"text":"B","order":1}]}""",
        "questions[0].min")]
    [InlineData(
        """{"title":"Q","min":0,"max":1,"order":10000,"options":[{"text":"A","order":0},{"text":"B","order":1}]}""",
        "questions[0].order")]
    [InlineData("""{"title":"Q","min":0,"max":1,"order":0,"options":[{"text":"A","order":0},{"text":"B","order":0}]}""",
        "questions[0].options[1].order")]
    [InlineData("""{"title":"Q","min":0,"max":1,"order":0,"options":[{"text":"A","order":0}]}""",
        "questions[0].options")]
    [InlineData("""{"title":"Q","min":0,"max":1,"order":0,"options":[{"text":"A","order":0},{"text":"","order":1}]}""",
        "questions[0].options[1].text")]
    [InlineData(
        """{"title":"Q","min":0,"max":1,"order":0,"options":"""
        + """[{"text":"A","image":"http://a/b","order":0},{"text":"B","order":1}]}""",
        "questions[0].options[0].image")]
    public async Task A_question_that_breaks_a_rule_is_refused_by_its_path(string question, string path)
    {
        var answer = await site.Internal.PostAsync(
            "/v1/internal/surveys", site.Manager, $$"""{"title":"T","questions":[{{question}}]}""");

        answer.IsProblem("invalid-survey").Names(path);
    }

    private static int Number(JsonElement json, string name) => json.GetProperty(name).GetInt32();

    private static IEnumerable<string> Members(JsonElement json) =>
        json.EnumerateObject().Select(member => member.Name);
}
