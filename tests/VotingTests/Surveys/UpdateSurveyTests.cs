using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace VotingTests;

public sealed class UpdateSurveyTests(SharedSurveys shared) : IClassFixture<SharedSurveys>
{
    private readonly SurveyHost _host = shared.Host;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_update_changes_what_has_an_id_adds_what_has_none_and_deletes_what_is_left_out()
    {
        var survey = await _host.CreateAsync(Bodies.Survey(body =>
            body["questions"]!.AsArray().Add(Bodies.NewQuestion("Goes", 1, options: 3))));
        var update = survey.ToUpdate();
        update["title"] = "Renamed";
        update["liveBatchMin"] = 5;
        update["questions"]!.AsArray().RemoveAt(1);
        update.Question()["options"]!.AsArray().RemoveAt(0);
        update.Option()["text"] = "Ned";
        update.Option().Remove("image");
        update.Question()["options"]!.AsArray().Add(Bodies.Parse("""{"text":"Marge","order":2}"""));
        update["questions"]!.AsArray().Add(Bodies.NewQuestion("New", 1));

        var answer = await PutAsync(survey["id"]!, update);
        var updated = await answer.JsonAsync();

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Renamed", (string?)updated["title"]);
        Assert.Equal(5, (int?)updated["liveBatchMin"]);
        Assert.Equal(["Who would you vote for president?", "New"], Titles(updated));
        Assert.Equal((string?)survey.Question()["id"], (string?)updated.Question()["id"]);
        Assert.Equal((string?)survey.Option(1)["id"], (string?)updated.Option()["id"]);
        Assert.Equal("Ned", (string?)updated.Option()["text"]);
        Assert.False(updated.Option().ContainsKey("image"));
        Assert.Equal("Marge", (string?)updated.Option(1)["text"]);
        await AssertReadsAsync(updated);
        Assert.Equal(0, await _host.ScalarAsync<long>($"""
            SELECT count(*) FROM voting.options
            WHERE id = {survey.Option()["id"]} OR question_id = {survey.Question(1)["id"]}
            """));
    }

    [Fact]
    public async Task An_update_may_swap_the_order_of_two()
    {
        var survey = await _host.CreateAsync(Bodies.Survey(body =>
            body["questions"]!.AsArray().Add(Bodies.NewQuestion("Second", 1))));
        var update = survey.ToUpdate();
        (update.Question()["order"], update.Question(1)["order"]) = (1, 0);
        (update.Option()["order"], update.Option(1)["order"]) = (1, 0);

        var updated = await (await PutAsync(survey["id"]!, update)).JsonAsync();

        Assert.Equal(["Second", "Who would you vote for president?"], Titles(updated));
        Assert.Equal((string?)survey.Option(1)["id"], (string?)updated.Option(0, 1)["id"]);
    }

    [Fact]
    public async Task An_id_is_never_given_again()
    {
        var survey = await _host.CreateAsync();
        var update = survey.ToUpdate();
        var highest = Ids(survey).Max();
        update.Question().Remove("id");
        foreach (var option in update.Question()["options"]!.AsArray()) option!.AsObject().Remove("id");
        var updated = await (await PutAsync(survey["id"]!, update)).JsonAsync();
        await _host.Manager.DeleteAsync($"/v1/internal/surveys/{survey["id"]}", Cancel);
        var next = await _host.CreateAsync();

        Assert.Empty(Ids(updated).Intersect(Ids(survey)));
        Assert.True(Ids(updated).Min() > highest);
        Assert.Empty(Ids(next).Intersect([.. Ids(survey), .. Ids(updated)]));
        Assert.True(int.Parse((string)next["id"]!) > int.Parse((string)survey["id"]!));
    }

    [Fact]
    public async Task An_update_that_names_ids_of_elsewhere_is_refused_and_changes_nothing()
    {
        var other = await _host.CreateAsync();
        var survey = await _host.CreateAsync(Bodies.Survey(body =>
            body["questions"]!.AsArray().Add(Bodies.NewQuestion("Second", 1))));
        (Action<JsonObject> Change, string Path)[] cases =
        [
            (body => body.Question()["id"] = (string?)other.Question()["id"], "questions[0].id"),
            (body => body.Option(1)["id"] = (string?)other.Option()["id"], "questions[0].options[1].id"),
            (body => body.Option(1)["id"] = (string?)survey.Option(0, 1)["id"], "questions[0].options[1].id"),
            (body => body.Option(1)["id"] = (string?)survey.Option()["id"], "questions[0].options[1].id"),
            (body => body.Question(1)["id"] = (string?)survey.Question()["id"], "questions[1].id"),
            (body => body.Question()["id"] = "999999999", "questions[0].id"),
            (body => body.Question()["id"] = "abc", "questions[0].id"),
            (body => body.Question()["id"] = "", "questions[0].id"),
            (body => body.Question()["id"] = "0" + survey.Question()["id"], "questions[0].id"),
            (body => body.Question().Remove("id"), "questions[0].options[0].id"),
        ];
        foreach (var (change, path) in cases)
        {
            var update = survey.ToUpdate();
            change(update);
            update["title"] = "Changed";

            var problem = await (await PutAsync(survey["id"]!, update)).ProblemAsync(422, "invalid-survey");

            Assert.Contains(path, problem["errors"]!.AsObject().Select(error => error.Key));
        }

        await AssertReadsAsync(survey);
        await AssertReadsAsync(other);
    }

    [Fact]
    public async Task What_is_new_cannot_bring_an_id()
    {
        var problem = await (await PostAsync(Bodies.Survey(body => body.Option()["id"] = "1")))
            .ProblemAsync(400, "malformed-request");

        Assert.NotNull(problem["errors"]!["questions[0].options[0].id"]);
    }

    [Theory]
    [InlineData("publish", "published")]
    [InlineData("finish", "closing")]
    public async Task What_has_been_published_neither_changes_nor_goes(string order, string status)
    {
        var survey = await _host.PublishedAsync();
        if (order == "finish") await _host.OrderAsync(survey, order);
        var update = survey.ToUpdate();
        update["title"] = "Changed";

        var put = await (await PutAsync(survey["id"]!, update)).ProblemAsync(409, "survey-not-draft");
        var delete = await _host.Manager.DeleteAsync($"/v1/internal/surveys/{survey["id"]}", Cancel);

        Assert.Contains(status, (string?)put["detail"]);
        await delete.ProblemAsync(409, "survey-not-draft");
        var read = await (await _host.Manager.GetAsync($"/v1/internal/surveys/{survey["id"]}", Cancel)).JsonAsync();
        Assert.Equal("Elections Survey", (string?)read["title"]);
    }

    [Fact]
    public async Task Concurrent_updates_never_mix()
    {
        var survey = await _host.CreateAsync();
        var updates = Enumerable.Range(0, 16).Select(i =>
        {
            var update = survey.ToUpdate();
            update["title"] = $"Title {i}";
            update.Question()["title"] = $"Question {i}";
            foreach (var option in update.Question()["options"]!.AsArray()) option!["text"] = $"{option["id"]} of {i}";
            update["questions"]!.AsArray().Add(Bodies.NewQuestion($"Added by {i}", 1));
            return PutAsync(survey["id"]!, update);
        });

        var answers = await Task.WhenAll(updates);

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        var read = await (await _host.Manager.GetAsync($"/v1/internal/surveys/{survey["id"]}", Cancel)).JsonAsync();
        var winner = ((string)read["title"]!).Split(' ')[1];
        Assert.Equal([$"Question {winner}", $"Added by {winner}"], Titles(read));
        Assert.All(
            read.Question()["options"]!.AsArray(),
            option => Assert.EndsWith($" of {winner}", (string?)option!["text"]));
        Assert.Equal(2, read["questions"]!.AsArray().Count);
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
