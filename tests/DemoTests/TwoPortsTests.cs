using Testing;

namespace DemoTests;

public sealed class TwoPortsTests(RunningPlatform platform)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_election_at_two_public_ports_that_share_no_memory_agrees()
    {
        await using var installation = await Installation.StartAsync(
            platform.Postgres, ["api,sse,consumer,backoffice", "api,sse"],
            new Dictionary<string, string>
            {
                ["Log__Provider"] = "postgres",
                ["Voting__Reservations"] = "in-process",
            },
            Cancel);

        var election = await DemoRun.AgainstAsync(installation, "--voters", "60", "--rate", "0", "--json");

        Assert.True(election.ExitCode == 0, $"{election}");
        Assert.Equal(60, election.Report.GetProperty("counted").GetInt32());
    }
}
