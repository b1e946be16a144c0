using System.Globalization;
using System.Text.Json;
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

    /// <summary>The rows change while it counts: what it says is right, what it keeps is wrong.</summary>
    [Fact]
    public async Task An_election_whose_rows_are_not_what_was_counted_does_not_agree()
    {
        const string title = "Rows go wrong";
        await BendRowsAsync(platform.Installation, title);

        var election = await DemoRun.AgainstAsync(
            platform.Installation, "--survey", Survey(title), "--voters", "25", "--rate", "0", "--json");

        Assert.True(election.ExitCode == 1, $"{election}");
        Assert.Equal(
            [
                "The recounted rows are what the voters cast",
                "Each row says what its voter chose, and there is no other",
            ],
            election.Disagreeing);
    }

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

    [Fact]
    public async Task A_survey_of_which_nothing_is_shown_before_its_end_agrees()
    {
        var survey = Survey("Secret until the end", "afterFinish");

        var election = await DemoRun.AgainstAsync(
            platform.Installation, "--survey", survey, "--voters", "21", "--json");

        Assert.True(election.ExitCode == 0, $"{election}");
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
        foreach (var schema in await ShardsAsync(installation))
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

    /// <summary>From now on every ballot of surveys of this title is stored without its first option.</summary>
    private static async Task BendRowsAsync(Installation installation, string title)
    {
        foreach (var schema in await ShardsAsync(installation))
        {
            await using var bend = installation.Database.Source.CreateCommand($"""
                CREATE FUNCTION {schema}.bend() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                BEGIN
                    IF EXISTS (SELECT FROM voting.surveys WHERE id = NEW.survey AND title = '{title}') THEN
                        NEW.options := NEW.options[2:];
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER bend BEFORE INSERT ON {schema}.ballots FOR EACH ROW EXECUTE FUNCTION {schema}.bend();
                """);
            await bend.ExecuteNonQueryAsync(Cancel);
        }
    }

    private static async Task<IReadOnlyList<string>> ShardsAsync(Installation installation)
    {
        await using var query = installation.Database.Source.CreateCommand(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ '^voting_[0-9]+$'");
        await using var rows = await query.ExecuteReaderAsync(Cancel);
        var schemas = new List<string>();
        while (await rows.ReadAsync(Cancel)) schemas.Add(rows.GetString(0));
        Assert.NotEmpty(schemas);
        return schemas;
    }

    /// <returns>A file with a survey of one question.</returns>
    private static string Survey(string title, string resultsVisibility = "live")
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("voting-demo-").FullName, "survey.json");
        File.WriteAllText(file, JsonSerializer.Serialize(new
        {
            title,
            resultsVisibility,
            questions = new[]
            {
                new
                {
                    title = "Which?", min = 1, max = 2, order = 0,
                    options = new[] { new { text = "This", order = 0 }, new { text = "That", order = 1 } },
                },
            },
        }));
        return file;
    }
}
