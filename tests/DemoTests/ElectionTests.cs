using System.Globalization;
using Testing;

namespace DemoTests;

public sealed class ElectionTests(RunningPlatform platform)
{
    private const int VoterCount = 150;
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_number_of_an_election_agrees_until_a_row_is_altered()
    {
        var installation = platform.Installation;
        var election = await DemoRun.AgainstAsync(
            installation, "--voters", $"{VoterCount}", "--rate", "100", "--json");

        Assert.True(election.ExitCode == 0, $"{election}");
        Assert.Single(election.Output);
        var report = election.Report;
        Assert.True(report.GetProperty("agrees").GetBoolean());
        Assert.Equal(VoterCount, report.GetProperty("counted").GetInt32());
        var sent = report.GetProperty("sent").EnumerateObject().Select(one => one.Name).ToList();
        Assert.All(
            ["ballot", "same ballot again", "different ballots at once", "another ballot later", "session: finish"],
            kind => Assert.Contains(kind, sent));

        var survey = report.GetProperty("survey").GetProperty("id").GetString()!;
        Assert.Equal(0, (await DemoRun.AgainstAsync(installation, "--recount", survey)).ExitCode);

        var altered = await AlterOneRowAsync(installation, int.Parse(survey, CultureInfo.InvariantCulture));
        var recount = await DemoRun.AgainstAsync(installation, "--recount", survey, "--json");
        Assert.True(altered && recount.ExitCode == 1, $"{recount}");
        Assert.Equal(["The recounted rows are the final result"], recount.Disagreeing);
        Assert.Equal(1, (await DemoRun.AgainstAsync(installation, "--recount", survey)).ExitCode);
    }

    [Fact]
    public async Task People_get_a_table_that_says_that_every_number_agrees()
    {
        var election = await DemoRun.AgainstAsync(platform.Installation, "--voters", "1", "--rate", "0");

        Assert.True(election.ExitCode == 0, $"{election}");
        Assert.Equal("Every number agrees.", election.Output[^1]);
        Assert.Contains(election.Output, line => line.Contains("Who should be mayor?", StringComparison.Ordinal));
    }

    /// <summary>Takes the first option of one ballot away.</summary>
    private static async Task<bool> AlterOneRowAsync(Installation installation, int survey)
    {
        foreach (var schema in await Arrange.ShardsAsync(installation))
        {
            await using var alter = installation.Database.Source.CreateCommand($"""
                UPDATE {schema}.ballots SET options = options[2:] WHERE survey = $1 AND voter_key =
                    (SELECT voter_key FROM {schema}.ballots WHERE survey = $1 ORDER BY voter_key LIMIT 1)
                """);
            alter.Parameters.Add(new() { Value = survey });
            if (await alter.ExecuteNonQueryAsync(Cancel) == 1) return true;
        }

        return false;
    }
}
