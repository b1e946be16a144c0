using Audit;

namespace AuditTests;

/// <summary>What the archive states of a final result is compared with what it gives.</summary>
public sealed class ArchivedStatementTests
{
    private static readonly string Key = ResultStatement.Key(7);

    private static readonly Dictionary<string, Func<ArchivedElection, Election, Task>> Lying = new()
    {
        ["says 15 ballots, and 14 are counted"] = (archive, election) =>
            archive.StateAsync(election, said: one => one with { Ballots = one.Ballots + 1 }),
        ["says 11 votes for option 101, and 12 are counted"] = (archive, election) =>
            archive.StateAsync(election, said: one => one with { Votes = [(101, 11), .. one.Votes.Skip(1)] }),
        ["says 0 votes for option 103, and 2 are counted"] = (archive, election) =>
            archive.StateAsync(election, said: one => one with { Votes = [.. one.Votes.SkipLast(1)] }),
        ["holds another signed result"] = (archive, election) =>
            archive.StateAsync(election, said: one => one with { Statement = "a.b.c" }),
        ["holds another signed result than"] = (archive, election) =>
            archive.StateAsync(election, said: one => one with { Version = one.Version + 1 }),
        ["names entry 4 of events as the survey's end, which it is not"] = (archive, election) =>
            archive.StateAsync(election, at: one => one with { Index = 4 }),
        ["names entry 5 of events as the survey's end, which it is not"] = (archive, election) =>
            archive.StateAsync(election, at: one => one with { Entry = Digest.Of("x"u8) }),
        ["names checkpoint 5 of votes-00 with 16 entries"] = (archive, election) =>
            Name(archive, election, one => one with { Checkpoint = one.Checkpoint with { Size = 16 } }),
        ["names checkpoint 5 of votes-00 with another root"] = (archive, election) =>
            Name(archive, election, one => one with { Checkpoint = one.Checkpoint with { Root = TreeHash.Empty } }),
        ["names checkpoint 6 of votes-00, and the archive ends with 5"] = (archive, election) =>
            Name(archive, election, one => one with { Number = 6 }),
        ["names checkpoint 5 of votes-00 as one of voting.example/votes-01"] = (archive, election) => Name(
            archive, election,
            one => one with { Checkpoint = one.Checkpoint with { Origin = "voting.example/votes-01" } }),
        ["names checkpoint 5 of votes-77, and there is no such log"] = (archive, election) =>
            Name(archive, election, one => one with { Log = "votes-77" }),
        ["names no checkpoint of votes-00"] = (archive, election) => Name(archive, election, _ => null),
        ["names no checkpoint that holds the survey's end"] = (archive, election) =>
            archive.StateAsync(election, counted: one => one.Log == LogName.Events ? null : one),
    };

    public static TheoryData<string> Lies => [.. Lying.Keys];

    [Theory, MemberData(nameof(Lies))]
    public async Task A_statement_that_contradicts_the_archive_is_named_though_it_is_signed(string says)
    {
        var election = Election.Whole();
        using var archive = await ArchivedElection.SealAsync(election);
        await Lying[says](archive, election);

        var report = await archive.VerifyAsync();

        var finding = Assert.Single(report.Findings);
        Assert.Equal((Problems.Statement, "events", 5L, Key), Place(finding));
        Assert.Contains(says, finding.Detail, StringComparison.Ordinal);
        Assert.Contains("\"stated\":\"broken\"", report.ToJson(default, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_statement_under_another_surveys_name_says_nothing_of_that()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var stated = File.ReadAllBytes(Path.Combine(archive.Root, Key));
        foreach (var survey in new[] { 8, 99 })
        {
            await archive.Store.PutAsync(
                ResultStatement.Key(survey), stated, ResultStatement.ContentType,
                TestContext.Current.CancellationToken);
        }

        var report = await archive.VerifyAsync(later: TimeSpan.FromHours(2));

        Assert.Empty(report.Findings);
        Assert.Contains("2 objects or versions of objects that nothing signed names were left out",
            report.ToText(default, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_statement_at_a_checkpoint_before_the_fence_is_named()
    {
        var election = Election.Whole();
        using var archive = await ArchivedElection.SealAsync(election);
        Assert.True(CheckpointDocument.TryParse(
            File.ReadAllBytes(Path.Combine(archive.Root, ArchiveKey.Checkpoint("votes/votes-00", 2))), out var early));
        await Name(archive, election, one => new(one.Log, 2, early.Statement.Note.Checkpoint));

        var finding = Assert.Single((await archive.VerifyAsync()).Findings);

        Assert.Contains("does not hold all that was counted", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_statement_that_was_altered_is_named_whichever_byte_it_is()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var stated = File.ReadAllBytes(Path.Combine(archive.Root, Key));
        for (var at = 0; at < stated.Length; at += 89)
        {
            archive.Change(Key, bytes => [.. bytes[..at], (byte)(bytes[at] ^ 1), .. bytes[(at + 1)..]]);
            Assert.Equal(
                (Problems.StatementSignature, "events", 5L, Key),
                Place(Assert.Single((await archive.VerifyAsync(later: TimeSpan.FromHours(2))).Findings)));
            archive.Change(Key, _ => stated);
        }

        Assert.Empty((await archive.VerifyAsync()).Findings);
    }

    [Fact]
    public async Task A_statement_of_other_tallies_by_another_key_is_named()
    {
        var election = Election.Whole();
        using var archive = await ArchivedElection.SealAsync(election);
        foreach (var signer in new[]
        {
            Signers.Log($"{ArchivedElection.Prefix}/events", 1), ArchivedElection.Signer("votes-00"),
        })
        {
            await archive.StateAsync(election, said: one => one with { Ballots = 13 }, signer: signer);

            var soon = await archive.VerifyAsync();
            var late = await archive.VerifyAsync(later: TimeSpan.FromHours(2));

            // The platform's own may still come; then it is not that, whatever lies there.
            Assert.Empty(soon.Findings);
            Assert.Contains("\"stated\":\"not-yet\"", soon.ToJson(default, 0), StringComparison.Ordinal);
            Assert.Equal(Problems.StatementSignature, Assert.Single(late.Findings).Problem);
        }
    }

    [Fact]
    public async Task A_statement_may_be_to_come_for_an_hour_and_is_missing_then()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(), isStated: false);

        var soon = await archive.VerifyAsync(later: TimeSpan.FromMinutes(59));
        var late = await archive.VerifyAsync(later: TimeSpan.FromMinutes(62));

        Assert.Empty(soon.Findings);
        Assert.Contains("not yet stated", soon.ToText(default, 0), StringComparison.Ordinal);
        Assert.Contains("\"stated\":\"not-yet\"", soon.ToJson(default, 0), StringComparison.Ordinal);
        Assert.Equal((Problems.StatementMissing, "events", 5L, Key), Place(Assert.Single(late.Findings)));
    }

    [Fact]
    public async Task A_statement_of_a_survey_that_never_was_is_named()
    {
        var election = Election.Whole();
        using var archive = await ArchivedElection.SealAsync(election);
        await archive.StateAsync(election, at: one => one with { Survey = 12 }, survey: 12);

        var finding = Assert.Single((await archive.VerifyAsync()).Findings);

        Assert.Equal((Problems.Statement, "events", null, ResultStatement.Key(12)), Place(finding));
        Assert.Contains("no final result", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_anybody_puts_beside_a_statement_changes_nothing_and_is_told()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        await archive.Store.PutAsync(Key, "{}"u8.ToArray(), "x/y", TestContext.Current.CancellationToken);
        await archive.Store.PutAsync(
            "results/07/statement.json", "{}"u8.ToArray(), "x/y", TestContext.Current.CancellationToken);

        var report = await archive.VerifyAsync();

        Assert.Empty(report.Findings);
        Assert.Contains("the first: results/07/statement.json", report.ToText(default, 0), StringComparison.Ordinal);
    }

    private static Task Name(
        ArchivedElection archive, Election election, Func<CountedAt, CountedAt?> change) =>
        archive.StateAsync(election, counted: one => one.Log == "votes-00" ? change(one) : one);

    private static (string, string, long?, string?) Place(Finding finding) =>
        (finding.Problem, finding.Log, finding.Index, finding.Key);
}
