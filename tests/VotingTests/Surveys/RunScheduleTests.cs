using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Testing;
using Voting;

namespace VotingTests;

public sealed class RunScheduleTests(Postgres postgres) : IAsyncLifetime
{
    private ServiceProvider _services = null!;
    private TestDatabase _database = null!;

    private RunSchedule Schedule => _services.GetServices<IHostedService>().OfType<RunSchedule>().Single();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // The database's clock decides: ours stands years away.
    public async ValueTask InitializeAsync() =>
        (_services, _database) = await SurveyHost.ServicesAsync(postgres, new FakeTimeProvider());

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Surveys_open_and_close_when_their_times_have_come_and_not_before()
    {
        var due = await CreateAsync("- interval '1 s'", "+ interval '1 h'");
        var early = await CreateAsync("+ interval '1 h'", "+ interval '2 h'");
        var unscheduled = await CreateAsync(null, null);
        var over = await CreateAsync(null, "+ interval '1 h'");
        var running = await CreateAsync(null, "+ interval '1 h'");
        await PublishAsync(over);
        await PublishAsync(running);
        await LetPassAsync(over);

        await Schedule.RunDueAsync(Cancel);

        Assert.Equal("published", await StatusAsync(due));
        Assert.Equal("draft", await StatusAsync(early));
        Assert.Equal("draft", await StatusAsync(unscheduled));
        Assert.Equal("closing", await StatusAsync(over));
        Assert.Equal("published", await StatusAsync(running));
    }

    [Fact]
    public async Task A_draft_that_should_have_closed_already_is_left_to_its_manager()
    {
        var id = await CreateAsync("- interval '2 s'", "- interval '1 s'");

        await Schedule.RunDueAsync(Cancel);

        Assert.Equal("draft", await StatusAsync(id));
    }

    [Fact]
    public async Task What_was_done_is_not_done_again()
    {
        var id = await CreateAsync("- interval '1 s'", null);
        await Schedule.RunDueAsync(Cancel);
        var revision = await ScalarAsync<long>($"SELECT revision FROM voting.surveys WHERE id = {id}");

        await Schedule.RunDueAsync(Cancel);

        Assert.Equal(revision, await ScalarAsync<long>($"SELECT revision FROM voting.surveys WHERE id = {id}"));
    }

    [Fact]
    public async Task A_survey_that_was_put_off_in_the_meantime_stays_a_draft()
    {
        var id = await CreateAsync("+ interval '1 h'", null);

        await _services.GetRequiredService<PublishSurvey>().PublishAsync(id, onlyIfDue: true, SurveyHost.Actor, Cancel);

        Assert.Equal("draft", await StatusAsync(id));
    }

    [Fact]
    public async Task While_another_process_is_at_it_nothing_is_done()
    {
        var id = await CreateAsync("- interval '1 s'", null);
        await using var other = await _database.Source.OpenConnectionAsync(Cancel);
        await using var transaction = await other.BeginTransactionAsync(Cancel);
        await using (var take = new NpgsqlCommand(
            "SELECT pg_advisory_xact_lock('voting.surveys'::regclass::int, 1)", other, transaction))
        {
            await take.ExecuteNonQueryAsync(Cancel);
        }

        await Schedule.RunDueAsync(Cancel);
        Assert.Equal("draft", await StatusAsync(id));

        await transaction.CommitAsync(Cancel);
        await Schedule.RunDueAsync(Cancel);
        Assert.Equal("published", await StatusAsync(id));
    }

    private async Task<int> CreateAsync(string? opens, string? closes)
    {
        var body = JsonSerializer.Deserialize(Bodies.Survey().ToJsonString(), SurveyJson.Default.SurveyBody)!;
        var outcome = await _services.GetRequiredService<WriteSurvey>().CreateAsync(body, SurveyHost.Actor, Cancel);
        var id = int.Parse(Assert.IsType<SurveyOutcome.Created>(outcome).Survey.Id);
        await ExecuteAsync($"""
            UPDATE voting.surveys SET opens_at = {(opens is null ? "NULL" : $"now() {opens}")},
                closes_at = {(closes is null ? "NULL" : $"now() {closes}")} WHERE id = {id}
            """);
        return id;
    }

    private async Task PublishAsync(int id) => Assert.IsType<SurveyOutcome.Moved>(
        await _services.GetRequiredService<PublishSurvey>()
            .PublishAsync(id, onlyIfDue: false, SurveyHost.Actor, Cancel));

    // Published surveys keep their times, so the guard has to look away for this one.
    private Task LetPassAsync(int id) => ExecuteAsync($"""
        SET session_replication_role = replica;
        UPDATE voting.surveys SET closes_at = now() - interval '1 s' WHERE id = {id};
        RESET session_replication_role;
        """);

    private Task<string> StatusAsync(int id) =>
        ScalarAsync<string>($"SELECT status FROM voting.surveys WHERE id = {id}");

    private async Task<T> ScalarAsync<T>(string sql)
    {
        await using var query = _database.Source.CreateCommand(sql);
        return (T)(await query.ExecuteScalarAsync(Cancel))!;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
