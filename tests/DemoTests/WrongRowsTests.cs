using Testing;

namespace DemoTests;

public sealed class WrongRowsTests(RunningPlatform platform)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The rows change while it counts: what it says is right, what it keeps is wrong.</summary>
    [Fact]
    public async Task An_election_whose_rows_are_not_what_was_counted_does_not_agree()
    {
        const string title = "Rows go wrong";
        await BendRowsAsync(platform.Installation, title);

        var election = await DemoRun.AgainstAsync(
            platform.Installation, "--survey", Arrange.Survey(title), "--voters", "25", "--rate", "0", "--json");

        Assert.True(election.ExitCode == 1, $"{election}");
        Assert.Equal(
            [
                "The recounted rows are what the voters cast",
                "Each row says what its voter chose, and there is no other",
            ],
            election.Disagreeing);
    }

    /// <summary>From now on every ballot of surveys of this title is stored without its first option.</summary>
    private static async Task BendRowsAsync(Installation installation, string title)
    {
        foreach (var schema in await Arrange.ShardsAsync(installation))
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
}
