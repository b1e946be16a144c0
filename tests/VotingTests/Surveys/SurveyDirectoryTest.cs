using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Testing;
using Voting;

namespace VotingTests;

/// <summary>A directory over a database of the test's own, by a clock that only the test moves.</summary>
public abstract class SurveyDirectoryTest(Postgres postgres) : IAsyncLifetime
{
    private protected static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private protected FakeTimeProvider Clock { get; } = new();

    private protected ServiceProvider Services { get; private set; } = null!;

    private protected TestDatabase Database { get; private set; } = null!;

    private protected SurveyDirectory Directory => Services.GetRequiredService<SurveyDirectory>();

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => (Services, Database) = await SurveyHost.ServicesAsync(postgres, Clock);

    public async ValueTask DisposeAsync()
    {
        await Directory.StopAsync(CancellationToken.None);
        await Services.DisposeAsync();
        await Database.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected async Task StartAsync()
    {
        await Directory.StartAsync(Cancel);
        await Directory.ReadAfterAsync(0, Cancel).WaitAsync(Deadline, Cancel);
    }

    /// <summary>One more reading, begun a little later than anything before it.</summary>
    private protected async Task ReadAgainAsync()
    {
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        await Directory.ReadAfterAsync(Clock.GetTimestamp(), Cancel).WaitAsync(Deadline, Cancel);
    }

    private protected async Task AdvanceUntilAsync(Task done)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (!done.IsCompleted)
        {
            Clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(5), deadline.Token);
        }

        await done;
    }

    private protected async Task<NpgsqlTransaction> LockSurveysAsync(NpgsqlConnection connection)
    {
        var transaction = await connection.BeginTransactionAsync(Cancel);
        await using var take = new NpgsqlCommand("LOCK TABLE voting.surveys", connection, transaction);
        await take.ExecuteNonQueryAsync(Cancel);
        return transaction;
    }

    private protected async Task WaitForBlockedAsync(long count)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (await BlockedAsync() != count) await Task.Delay(TimeSpan.FromMilliseconds(5), deadline.Token);

        async Task<long> BlockedAsync()
        {
            await using var query = Database.Source.CreateCommand(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity "
                + "WHERE datname = current_database())");
            return (long)(await query.ExecuteScalarAsync(Cancel))!;
        }
    }

    private protected async Task<int> CreateAsync()
    {
        var body = JsonSerializer.Deserialize(Bodies.Survey().ToJsonString(), SurveyJson.Default.SurveyBody)!;
        var outcome = await Services.GetRequiredService<WriteSurvey>().CreateAsync(body, SurveyHost.Actor, Cancel);
        return int.Parse(Assert.IsType<SurveyOutcome.Created>(outcome).Survey.Id);
    }

    private protected async Task<int> PublishedAsync()
    {
        var id = await CreateAsync();
        await PublishAsync(id);
        return id;
    }

    private protected async Task PublishAsync(int id) => Assert.IsType<SurveyOutcome.Moved>(
        await Services.GetRequiredService<PublishSurvey>()
            .PublishAsync(id, onlyIfDue: false, SurveyHost.Actor, Cancel));

    private protected async Task FinishAsync(int id) => Assert.IsType<SurveyOutcome.Moved>(
        await Services.GetRequiredService<PublishSurvey>()
            .FinishAsync(id, onlyIfDue: false, SurveyHost.Actor, Cancel));

    private protected Task FinalizeAsync(int id, string votes) => ExecuteAsync($"""
        UPDATE voting.surveys SET status = 'finished', final_statement = 'a.b.c', final_version = 7, final_ballots = 3,
            final_votes = '{votes}', final_at = '2030-01-15T10:30:00Z' WHERE id = {id}
        """);

    private protected async Task ExecuteAsync(string sql)
    {
        await using var command = Database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private protected static async Task SuperuserAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(await Postgres.ConnectionStringAsync());
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
