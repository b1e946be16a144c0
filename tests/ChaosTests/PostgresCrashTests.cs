using Testing;

namespace ChaosTests;

public sealed class PostgresCrashTests
{
    private const int Voters = 240;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_that_crashes_under_load_has_everything_that_was_acknowledged()
    {
        await using var server = await OwnPostgres.StartAsync(Cancel);
        await using var site = new Site(Postgres.On(server));
        await site.InitializeAsync();
        await DurabilityTests.AssertKeepsWhatItConfirmsAsync(site);
        var election = await site.PublishAsync();
        var load = new Load(site, election, await site.VotersAsync(Voters));
        await load.RunAsync(faults: 2, async _ =>
        {
            await server.CrashAsync(Cancel);
            // It keeps its port: whoever lost it finds it again.
            Assert.Equal(server.ConnectionString, (await server.StartAgainAsync(Cancel)).Trim());
            // The test's own connections are gone as well.
            site.Database.Clear();
        });

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }
}
