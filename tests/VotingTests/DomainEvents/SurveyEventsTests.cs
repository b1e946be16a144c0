using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Platform;
using Testing;
using Voting;

namespace VotingTests;

/// <summary>Every change of a survey is told, with who made it; what changes nothing is not.</summary>
public sealed class SurveyEventsTests(Postgres postgres) : IAsyncLifetime
{
    private SurveyHost _host = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await SurveyHost.StartAsync(postgres);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_surveys_life_is_told_in_its_order_and_repeats_are_not()
    {
        var survey = await _host.CreateAsync();
        var path = $"/v1/internal/surveys/{survey["id"]}";
        Refused(409, await _host.Manager.PutAsync($"{path}/finish", null, Cancel));
        Refused(422, await _host.Manager.PutAsync(
            path, JsonContent.Create(Bodies.Survey(body => body["title"] = "")), Cancel));
        using var admin = _host.Staff(StaffRole.Admin);
        var update = await admin.PutAsync(
            path, JsonContent.Create(Bodies.Survey(body => body["title"] = "Another")), Cancel);
        Assert.Equal(HttpStatusCode.OK, update.StatusCode);
        var dates = await _host.OrderAsync(survey, "publish");
        await _host.OrderAsync(survey, "publish");
        Refused(409, await _host.Manager.DeleteAsync(path, Cancel));
        await _host.OrderAsync(survey, "finish");
        await _host.OrderAsync(survey, "finish");

        var told = await ToldAsync(_host.Database);

        Assert.Equal(
            [("survey.created", "manager"), ("survey.updated", "admin"), ("survey.published", "manager"),
                ("survey.finished", "manager")],
            told.Select(one => ((string)one["type"]!, (string)one["actorrole"]!)));
        Assert.All(told, one => Assert.Equal(
            ("test", $"survey/{survey["id"]}", (string)survey["id"]!),
            ((string)one["actor"]!, (string)one["subject"]!, (string)one["data"]!["survey"]!)));
        Assert.Equal(told.Count, told.Select(one => (string)one["id"]!).Distinct().Count());
        var published = told[2]["data"]!;
        Assert.Equal("Another", (string)published["title"]!);
        Assert.Equal((string)dates["startDate"]!, (string)published["startDate"]!);
        Assert.Equal((string)dates["startDate"]!, (string)told[2]["time"]!);
        // Just what was answered to the manager, options' ids included.
        var answered = (await update.Content.ReadFromJsonAsync<JsonObject>(Cancel))!["questions"]!;
        Assert.True(JsonNode.DeepEquals(answered, published["questions"]));
    }

    [Fact]
    public async Task A_draft_that_is_deleted_is_told_once()
    {
        var survey = await _host.CreateAsync();
        for (var i = 0; i < 2; i++) await _host.Manager.DeleteAsync($"/v1/internal/surveys/{survey["id"]}", Cancel);

        Assert.Equal(
            ["survey.created", "survey.deleted"],
            (await ToldAsync(_host.Database)).Select(one => (string)one["type"]!));
    }

    [Fact]
    public async Task Where_nothing_can_be_told_nothing_is_done()
    {
        var survey = await _host.CreateAsync();
        var path = $"/v1/internal/surveys/{survey["id"]}";
        await using (var bar = _host.Database.Source.CreateCommand(
            "ALTER TABLE voting.outbox ADD CONSTRAINT barred CHECK (number < 0) NOT VALID"))
        {
            await bar.ExecuteNonQueryAsync(Cancel);
        }

        Assert.Equal(500, (int)(await _host.Manager.PutAsync($"{path}/publish", null, Cancel)).StatusCode);
        Assert.Equal(500, (int)(await _host.Manager.DeleteAsync(path, Cancel)).StatusCode);
        Assert.Equal(500, (int)(await _host.Manager.PostAsync(
            "/v1/internal/surveys", JsonContent.Create(Bodies.Survey()), Cancel)).StatusCode);

        Assert.Equal("draft", await _host.ScalarAsync<string>("SELECT status FROM voting.surveys"));
        Assert.Single(await ToldAsync(_host.Database));
    }

    [Fact]
    public async Task What_opens_and_closes_on_time_is_told_of_the_schedule()
    {
        var (services, database) = await SurveyHost.ServicesAsync(postgres, new FakeTimeProvider());
        await using var _ = services;
        await using var __ = database;
        var body = JsonSerializer.Deserialize(Bodies.Survey().ToJsonString(), SurveyJson.Default.SurveyBody)!;
        await services.GetRequiredService<WriteSurvey>().CreateAsync(body, SurveyHost.Actor, Cancel);
        var schedule = services.GetServices<IHostedService>().OfType<RunSchedule>().Single();
        await ExecuteAsync("UPDATE voting.surveys SET opens_at = now() - interval '1 s', "
            + "closes_at = clock_timestamp() + interval '0.5 s'");

        await schedule.RunDueAsync(Cancel);
        await UntilAsync(async () =>
        {
            await schedule.RunDueAsync(Cancel);
            return (await ToldAsync(database)).Count == 3;
        });
        await schedule.RunDueAsync(Cancel);

        Assert.Equal(
            [("survey.created", "test", "manager"), ("survey.published", "schedule", "system"),
                ("survey.finished", "schedule", "system")],
            (await ToldAsync(database)).Select(one =>
                ((string)one["type"]!, (string)one["actor"]!, (string)one["actorrole"]!)));

        async Task ExecuteAsync(string sql)
        {
            await using var command = database.Source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(30));
        while (!await condition()) await Task.Delay(20, deadline.Token);
    }

    private static void Refused(int status, HttpResponseMessage answer) =>
        Assert.Equal(status, (int)answer.StatusCode);

    /// <summary>What waits for the relay, which does not run here.</summary>
    private static async Task<List<JsonObject>> ToldAsync(TestDatabase database)
    {
        await using var query = database.Source.CreateCommand(
            "SELECT aggregate, event FROM voting.outbox ORDER BY number");
        await using var rows = await query.ExecuteReaderAsync(Cancel);
        var told = new List<JsonObject>();
        while (await rows.ReadAsync(Cancel))
        {
            var json = JsonNode.Parse(rows.GetFieldValue<byte[]>(1))!.AsObject();
            Assert.Equal(rows.GetString(0), (string)json["subject"]!);
            told.Add(json);
        }

        return told;
    }
}
