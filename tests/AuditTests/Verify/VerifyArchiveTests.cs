using System.Text.Json;
using Audit;

namespace AuditTests;

/// <summary>What the platform archives is taken, however it fell into segments.</summary>
public sealed class VerifyArchiveTests
{
    [Fact]
    public async Task A_whole_election_is_verified()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());

        var report = await archive.VerifyAsync();

        Assert.Empty(report.Findings);
        using var json = JsonDocument.Parse(report.ToJson(TimeSpan.FromSeconds(1), 100));
        var votes = json.RootElement.GetProperty("votes");
        Assert.Equal(
            (38, 14, 0, 10, 4, 4, 6, 0),
            (Number("records"), Number("counted"), Number("held"), Number("rejected"), Number("repeated"),
                Number("fences"), Number("setAside"), Number("pending")));
        var survey = Assert.Single(json.RootElement.GetProperty("surveys").EnumerateArray());
        Assert.Equal(("7", 14, true, "verified", "verified"), (
            survey.GetProperty("survey").GetString(), survey.GetProperty("ballots").GetInt32(),
            survey.GetProperty("final").GetBoolean(), survey.GetProperty("statement").GetString(),
            survey.GetProperty("stated").GetString()));
        Assert.Equal(
            ["events", "votes-00", "votes-01", "checkpoints"],
            json.RootElement.GetProperty("logs").EnumerateArray().Select(log => log.GetProperty("log").GetString()!));
        // Whoever looks at the report learns of each ballot that was settled to be none.
        Assert.Equal(2, json.RootElement.GetProperty("notes").GetArrayLength());

        int Number(string name) => votes.GetProperty(name).GetInt32();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public async Task Where_segments_end_does_not_matter(int segmentCountMax)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(), segmentCountMax);

        Assert.Empty((await archive.VerifyAsync()).Findings);
    }

    [Fact]
    public async Task Outcomes_that_are_archived_before_their_records_are_taken()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(), 2, outcomesFirst: true);

        Assert.Empty((await archive.VerifyAsync()).Findings);
    }

    [Fact]
    public async Task Records_without_outcome_wait_while_no_result_is_final()
    {
        var election = new Election();
        election.Publish(7);
        election.Partitions[0].Count(election.Partitions[0].Submit(1, 101));
        election.Partitions[0].Submit(2, 101);
        using var archive = await ArchivedElection.SealAsync(election);

        var report = await archive.VerifyAsync();

        Assert.Empty(report.Findings);
        Assert.Contains("\"pending\":1", report.ToJson(default, 0), StringComparison.Ordinal);
        Assert.Contains("\"final\":false", report.ToJson(default, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Votes_are_taken_before_their_surveys_publication_is_archived()
    {
        var election = new Election();
        election.Publish(8);
        election.Partitions[0].Count(election.Partitions[0].Submit(1, 101));
        election.Partitions[0].Count(election.Partitions[0].Submit(2, 101, 102));
        using var archive = await ArchivedElection.SealAsync(election);

        var report = await archive.VerifyAsync();

        Assert.Empty(report.Findings);
        Assert.Contains("\"counted\":2", report.ToJson(default, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_archive_is_whole_and_a_log_of_logs_that_is_to_come_too_where_no_key_of_them_is_given()
    {
        using var empty = await ArchivedElection.SealAsync(new());
        using var uncovered = await ArchivedElection.SealAsync(Election.Whole(), hasCheckpoints: false);

        Assert.Empty((await empty.VerifyAsync(keys: [])).Findings);
        Assert.Empty((await uncovered.VerifyAsync(keys: [])).Findings);
        Assert.Equal(
            ["events", "votes-00", "votes-01", "checkpoints"],
            (await empty.VerifyAsync(keys: ArchivedElection.Keys)).Findings.Select(finding => finding.Log));
        Assert.Equal(
            (Problems.Rollback, "checkpoints"),
            (await uncovered.VerifyAsync(keys: ArchivedElection.Keys)).Findings
                .Select(finding => (finding.Problem, finding.Log)).Single());
    }

    [Fact]
    public async Task Without_keys_of_results_the_report_says_so()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());

        var report = await archive.VerifyAsync(hasJwks: false);

        Assert.True(report.Holds);
        Assert.Contains("not-checked", report.ToJson(default, 0), StringComparison.Ordinal);
        Assert.Contains("--jwks", report.ToText(default, 0), StringComparison.Ordinal);
    }
}
