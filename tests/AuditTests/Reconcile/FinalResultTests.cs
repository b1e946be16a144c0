using Audit;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>What everybody is shown of a finished survey was archived, and archived ballots give it.</summary>
public sealed class FinalResultTests(Postgres postgres)
{
    private static readonly byte[] End = Election.Whole().Ends.Single().Event;

    /// <summary>What somebody does by hand to the stored result, and which column is named.</summary>
    private static readonly Dictionary<string, Func<RecordedResult, RecordedResult>> Faults = new()
    {
        ["final_statement"] = result => result with { Statement = $"{result.Statement}x" },
        ["final_version"] = result => result with { Version = result.Version + 1 },
        ["final_ballots"] = result => result with { Ballots = null },
        ["final_votes"] = result => result with
        {
            Votes = result.Votes!.Replace("101", "104", StringComparison.Ordinal),
        },
        ["final_at"] = result => result with { FinalAt = result.FinalAt!.Value.AddSeconds(1) },
        ["final_ballots, final_votes"] = result => result with { Ballots = 1, Votes = "{}" },
    };

    [Fact]
    public async Task Each_altered_final_result_is_found_named_and_told_and_gone_when_it_is_as_it_was()
    {
        await using var site = await OpenAsync();
        var right = site.Results.Single();
        await site.FollowAsync();
        Assert.Equal("", await site.OpenAsync() + await site.ToldAsync());

        foreach (var (columns, fault) in Faults)
        {
            site.Results[0] = fault(right);
            await site.FollowAsync();
            await site.FollowAsync();
            Assert.Equal("final-altered events 7 7", await site.OpenAsync());
            Assert.Equal(
                $"The stored final result is not what was archived: {columns}.", await site.Sealing.ReadAsync<string>(
                    "SELECT detail FROM audit.differences WHERE resolved_at IS NULL"));
            Assert.Equal("audit.difference-found", await site.ToldAsync());

            site.Results[0] = right;
            await site.FollowAsync();
            Assert.Equal("", await site.OpenAsync());
            Assert.Equal("audit.difference-found; audit.difference-resolved", await site.ToldAsync());
            await site.Sealing.ExecuteAsync("DELETE FROM audit.outbox");
        }

        site.Results.Clear();
        await site.FollowAsync();
        Assert.Equal("final-altered events 7 7", await site.OpenAsync());
    }

    [Fact]
    public async Task An_archived_result_that_the_archived_ballots_do_not_give_is_found()
    {
        await using var site = await OpenAsync();
        await site.Sealing.ExecuteAsync("UPDATE audit.reconciled_surveys SET votes[1] = votes[1] + 1");
        await site.FollowAsync();
        Assert.Contains("final-contradicted events 7 7", await site.OpenAsync(), StringComparison.Ordinal);

        // As long as not all ballots are compared, nothing is known of their sum.
        await site.Sealing.ExecuteAsync("UPDATE audit.reconciled_surveys SET votes[1] = votes[1] - 1");
        await site.FollowAsync();
        Assert.Equal("", await site.OpenAsync());
        await site.Sealing.ExecuteAsync("TRUNCATE audit.reconciled_surveys, audit.reconciled");
        await site.FollowAsync();
        Assert.Equal("", await site.OpenAsync());
    }

    [Fact]
    public async Task A_stored_result_whose_survey_has_no_archived_end_is_found_once_the_index_has_passed_it()
    {
        await using var site = await OpenAsync();
        var forged = site.Results.Single() with { Survey = 8 };
        site.Results.Add(forged);
        site.Results.Add(forged with { Survey = 9, FinalAt = site.Clock.GetUtcNow() });
        site.Results.Add(forged with { Survey = 10, FinalAt = site.Clock.GetUtcNow().AddYears(1) });
        await site.FollowAsync();
        // The index of events is not there yet, or was lost.
        Assert.Equal("", await site.OpenAsync());

        await site.Sealing.ExecuteAsync(
            "INSERT INTO audit.indexed (log, checkpoint) SELECT log, published FROM audit.heads WHERE log = 'events'");
        await site.FollowAsync();
        Assert.Equal("final-altered events 8 8; final-altered events 10 10", await site.OpenAsync());
        site.Clock.Advance(TimeSpan.FromHours(1));
        await site.FollowAsync();
        Assert.EndsWith("final-altered events 9 9", await site.OpenAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Results_of_many_surveys_are_compared_in_turn()
    {
        await using var site = await OpenAsync();
        await site.Sealing.ExecuteAsync("""
            INSERT INTO audit.results (survey, log, index, entry, event)
            SELECT number, log, index, entry, event FROM audit.results, generate_series(1001, 2001) AS number;
            DELETE FROM audit.results WHERE survey = 7;
            UPDATE audit.reconciled SET claimant = NULL, claimed_until = NULL
            """);
        var right = site.Results.Single();
        site.Results.Clear();
        for (var survey = 1001; survey <= 2001; survey++)
            site.Results.Add(right with { Survey = survey, Ballots = survey is 1003 or 2001 ? 1 : right.Ballots });
        var process = site.Start();
        var found = new List<string>();
        for (var round = 0; round < 4; round++)
        {
            await process.FollowAsync(TestContext.Current.CancellationToken);
            found.Add(await site.Sealing.ReadAsync<string>("""
                SELECT coalesce(string_agg(survey::text, ' ' ORDER BY survey), '') FROM audit.differences
                WHERE kind = 'final-altered' AND resolved_at IS NULL
                """));
            site.Results[2] = right with { Survey = 1003 };
        }

        // What is not looked at in a round stays as it is.
        Assert.Equal(["1003", "1003", "1003 2001", "2001"], found);
    }

    /// <summary>An election that is archived, compared, and shown as it was archived.</summary>
    private async Task<ReconcilingSite> OpenAsync()
    {
        var site = await ReconcilingSite.OpenAsync(postgres);
        await site.Sealing.AppendAsync(new(SealingSite.Topics[2].Name, 0), End);
        await site.SealAsync(Election.Whole().Partitions);
        await site.FollowAsync();
        await using var plant = site.Sealing.Database.Source.CreateCommand(
            "INSERT INTO audit.results (survey, log, index, entry, event) VALUES (7, 'events', 0, $1, $2)");
        plant.Parameters.Add(new() { Value = Digest.Of(End).ToArray() });
        plant.Parameters.Add(new() { Value = End });
        await plant.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        var (facts, json) = (FinalFacts.Of(End), System.Text.Json.JsonElement.Parse(End));
        site.Results.Add(new(
            7, facts.Statement, facts.Version, facts.Ballots, json.GetProperty("data").GetProperty("votes").ToString(),
            JudgedJson.Time(json.GetProperty("time"))));
        return site;
    }
}
