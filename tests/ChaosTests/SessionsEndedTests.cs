namespace ChaosTests;

[Collection(AcceptingSite.Name)]
public sealed class SessionsEndedTests(Site site)
{
    private const int Voters = 400;

    [Fact]
    public async Task Ending_the_databases_sessions_under_load_loses_nothing_that_was_acknowledged()
    {
        var election = await site.PublishAsync();
        var load = new Load(site, election, await site.VotersAsync(Voters));
        await load.RunAsync(faults: 2, async _ =>
            Assert.True(await EndSessionsAsync() > 0, "There was no session to end."));
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }

    /// <summary>Ends the appenders', the counter's and everybody else's sessions, but for those of the test.</summary>
    private Task<long> EndSessionsAsync() => site.ReadAsync<long>("""
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'voting%'
        """);
}
