using Audit;
using Platform;

namespace AuditTests;

/// <summary>What an earlier run saw must be found again: a history rewritten whole shows nowhere else.</summary>
public sealed class RememberedLogsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_log_that_grew_is_taken_and_one_that_was_rewritten_is_a_fork()
    {
        var (remembered, election) = (new RememberedLogs(), Election.Whole());
        using var before = await ArchivedElection.SealAsync(election, hasCheckpoints: false);
        election.Publish(8);
        using var grown = await ArchivedElection.SealAsync(election, hasCheckpoints: false);
        using var rewritten = await ArchivedElection.SealAsync(
            Election.Whole(one => one.Publish(9)), hasCheckpoints: false);

        Assert.Empty((await before.VerifyAsync(remembered: remembered)).Findings);
        Assert.Empty((await before.VerifyAsync(remembered: remembered)).Findings);
        Assert.Equal((Problems.Fork, "events"), Place(await rewritten.VerifyAsync(remembered: remembered)));
        Assert.Empty((await grown.VerifyAsync(remembered: remembered)).Findings);
        Assert.Equal((Problems.Rollback, "events"), Place(await before.VerifyAsync(remembered: remembered)));
    }

    [Fact]
    public async Task A_log_whose_newest_checkpoints_are_gone_is_rolled_back()
    {
        var remembered = new RememberedLogs();
        using var archive = await ArchivedElection.SealAsync(Election.Whole(), hasCheckpoints: false);
        Assert.Empty((await archive.VerifyAsync(remembered: remembered)).Findings);

        Directory.Delete(
            Directory.GetDirectories(Path.Combine(archive.Root, "votes/votes-01")).Max()!, recursive: true);
        Assert.Equal((Problems.Rollback, "votes-01"), Place(await archive.VerifyAsync(remembered: remembered)));
        Directory.Delete(Path.Combine(archive.Root, "votes/votes-01"), recursive: true);
        Assert.Contains(
            (await archive.VerifyAsync(remembered: remembered)).Findings,
            finding => (finding.Problem, finding.Log) == (Problems.Rollback, "votes-01"));
    }

    [Fact]
    public async Task A_history_that_is_told_anew_under_another_origin_is_not_taken()
    {
        var remembered = new RememberedLogs();
        using var before = await ArchivedElection.SealAsync(Election.Whole());
        using var retold = await ArchivedElection.SealAsync(Election.Whole(), prefix: "another.example");

        Assert.Empty((await before.VerifyAsync(keys: [], remembered: remembered)).Findings);
        Assert.Equal(
            ["checkpoints", "events", "votes-00", "votes-01"],
            (await retold.VerifyAsync(keys: [], remembered: remembered)).Findings
                .Where(finding => finding.Problem is Problems.CheckpointSignature)
                .Select(finding => finding.Log).Order(StringComparer.Ordinal));
        Assert.Equal(4, remembered.Origins.Count);
    }

    [Fact]
    public void A_log_that_was_never_seen_is_taken_under_the_origin_of_those_that_were()
    {
        var seen = Signers.Log("voting.example/events").Verifier;
        var keys = new TrustedKeys([], [(seen.Name, [seen])]);

        Assert.True(Trusts("voting.example/votes-00"));
        Assert.False(Trusts("another.example/votes-01"));
        Assert.False(Trusts("voting.example/more/votes-01"));
        Assert.False(Trusts("another.example/events"));
        Assert.False(Trusts("events"));

        bool Trusts(string origin) => keys.TryTrustFirst(origin, Signers.Log(origin).Verifier);
    }

    [Fact]
    public async Task What_was_seen_is_the_same_after_it_was_written_down()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("remember-").FullName, "seen.json");
        var remembered = await RememberedLogs.ReadAsync(path, Cancel);
        var key = ArchivedElection.Signer("events").Verifier;
        remembered.Set(key.Name, 7, Digest.Of("root"u8), [key]);

        await remembered.WriteAsync(path, Cancel);
        var read = await RememberedLogs.ReadAsync(path, Cancel);

        Assert.Equal((7, Digest.Of("root"u8)), read.Find(key.Name));
        Assert.Equal(key.ToString(), Assert.Single(Assert.Single(read.Keys).Keys).ToString());
        Assert.Null(read.Find("another"));
        await File.WriteAllTextAsync(path, "[{}]", Cancel);
        await Assert.ThrowsAsync<InvalidSettingsException>(() => RememberedLogs.ReadAsync(path, Cancel));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void Logs_that_are_verified_side_by_side_are_all_remembered()
    {
        var (remembered, key) = (new RememberedLogs(), ArchivedElection.Signer("events").Verifier);

        Parallel.For(0, 10_000, log => remembered.Set($"{log}", log, Digest.Of("root"u8), [key]));

        Assert.Equal(10_000, remembered.Origins.Count);
    }

    private static (string Problem, string Log) Place(VerificationReport report) =>
        report.Findings[0] is var first ? (first.Problem, first.Log) : default;
}
