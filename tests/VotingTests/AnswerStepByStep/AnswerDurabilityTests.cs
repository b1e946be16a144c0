using Npgsql;
using Testing;

namespace VotingTests;

public sealed class AnswerDurabilityTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_process_that_is_killed_loses_no_answer_and_a_finish_that_it_broke_off_goes_on()
    {
        await using var installation = await Installation.StartAsync(postgres, ["all"], cancel: Cancel);
        var poll = await AnswerSite.PublishAsync(installation);
        var voters = await AnswerSite.VotersAsync(installation, 3);
        var sessions = new List<string>();
        foreach (var voter in voters) sessions.Add(await voter.BeginAsync(poll));
        var words = await voters[0].AddAsync(poll, poll.Words, text: "kept", session: sessions[0]);

        await FreezeAndKillAsync(installation, poll, voters[..2], sessions);
        await installation.StartHostAsync("all", cancel: Cancel);

        // Nothing of what was frozen had been appended, and nothing that was acknowledged is gone.
        Assert.Equal("2 0", await FrozenAndAppendedAsync(installation, poll));
        await (await voters[0].AnswerAsync(poll, poll.Two, 0)).ProblemAsync(409, "session-finished");
        var again = await voters[2].AnswerAsync(poll, poll.One, 0);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        var finished = await voters[0].FinishAsync(poll, sessions[0]);
        Assert.Equal(HttpStatusCode.OK, finished.StatusCode);
        var body = await finished.Content.ReadAsStringAsync(Cancel);
        Assert.Equal(body, await (await voters[0].FinishAsync(poll, sessions[0])).Content.ReadAsStringAsync(Cancel));
        Assert.NotNull(words["id"]);

        // A vote that was frozen in time and never appended is too late once the survey has closed; before its fence is
        // counted nobody can know that.
        await AnswerSite.CloseAsync(installation, poll);
        var late = await voters[1].FinishAsync(poll, sessions[1]);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(90));
        while (late.StatusCode is HttpStatusCode.ServiceUnavailable)
        {
            await late.ProblemAsync(503, "outcome-unknown");
            await Task.Delay(200, deadline.Token);
            late = await voters[1].FinishAsync(poll, sessions[1]);
        }

        await late.ProblemAsync(409, "survey-not-open");
        Assert.Equal(body, await (await voters[0].FinishAsync(poll, sessions[0])).Content.ReadAsStringAsync(Cancel));
    }

    /// <summary>Holds the log, so that finishes get as far as the freeze, and kills the process there.</summary>
    private static async Task FreezeAndKillAsync(
        Installation installation, Poll poll, AnsweringVoter[] voters, List<string> sessions)
    {
        await using var holding = await installation.Database.Source.OpenConnectionAsync(Cancel);
        await using var transaction = await holding.BeginTransactionAsync(Cancel);
        await ExecuteAsync("SELECT FROM platform.log_partitions WHERE topic = 'votes' FOR NO KEY UPDATE");
        var finishes = voters.Select((voter, i) => voter.FinishAsync(poll, sessions[i])).ToArray();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(8));
        while (await FrozenAndAppendedAsync(installation, poll) != "2 0") await Task.Delay(20, deadline.Token);

        await installation.Hosts[0].KillAsync();
        // The server does not know yet that nobody waits for the appends any more.
        await ExecuteAsync("""
            SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
            """);
        await transaction.RollbackAsync(Cancel);
        foreach (var finish in finishes) await Assert.ThrowsAnyAsync<HttpRequestException>(() => finish);

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, holding, transaction);
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }

    private static async Task<string?> FrozenAndAppendedAsync(Installation installation, Poll poll)
    {
        var sessions = Enumerable.Range(0, 16).Select(shard => $"SELECT * FROM voting_{shard:00}.sessions");
        await using var query = installation.Database.Source.CreateCommand($"""
            SELECT (SELECT count(finished_at) FROM ({string.Join(" UNION ALL ", sessions)}) AS s
                    WHERE survey = {poll.Id})
                || ' ' || (SELECT count(*) FROM platform.log_batches WHERE topic = 'votes')
            """);
        return (string?)await query.ExecuteScalarAsync(Cancel);
    }
}
