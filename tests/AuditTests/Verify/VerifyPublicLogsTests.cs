using Audit;

namespace AuditTests;

/// <summary>What anybody can check of a site that they do not trust.</summary>
public sealed class VerifyPublicLogsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static Digest[] Entries(int count) => [.. Enumerable.Range(0, count).Select(Entry)];

    private static Digest Entry(int number) => Digest.Of(BitConverter.GetBytes(number));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(256)]
    [InlineData(600)]
    public async Task A_site_that_shows_its_whole_log_is_verified(int size)
    {
        await using var site = new PublicSite(Entries(size)) { RefusalCount = 2 };
        await site.StartAsync();

        var report = await VerifyAsync(site);

        Assert.Empty(report.Findings);
        Assert.Contains($"\"size\":{size}", report.ToJson(default, 0), StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Lies => new()
    {
        { "checkpoint", Problems.CheckpointMalformed },
        { "tile/entries/001", Problems.Tile },
        { "tile/entries/002.p/88", Problems.Tile },
        { "tile/0/000", Problems.Tile },
        { "tile/1/000.p/2", Problems.Tile },
    };

    [Theory, MemberData(nameof(Lies))]
    public async Task What_is_served_otherwise_or_not_at_all_is_found(string path, string problem)
    {
        foreach (var lie in new[] { null, new byte[32], "junk"u8.ToArray() })
        {
            await using var site = new PublicSite(Entries(600));
            site.Lies[path] = lie;
            await site.StartAsync();

            var finding = Assert.Single((await VerifyAsync(site)).Findings);

            Assert.Equal((problem, "votes-00"), (finding.Problem, finding.Log));
            Assert.EndsWith(path, finding.Key, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_partial_bundle_that_is_gone_is_taken_from_the_full_one()
    {
        await using var site = new PublicSite(Entries(600));
        site.Lies["tile/entries/002.p/88"] = null;
        site.Lies["tile/entries/002"] = EntryBundle.Encode([.. Entries(768).AsSpan(512)]);
        site.Lies["tile/0/002.p/88"] = null;
        site.Lies["tile/0/002"] = [.. Entries(768)[512..].SelectMany(entry => TreeHash.Leaf(entry).ToArray())];
        await site.StartAsync();

        Assert.Empty((await VerifyAsync(site)).Findings);
    }

    [Fact]
    public async Task Another_entry_than_the_signed_tree_has_is_found()
    {
        var altered = Entries(600);
        altered[300] = Entry(-1);
        await using var truth = new PublicSite(Entries(600));
        await using var site = new PublicSite(altered);
        site.Lies["checkpoint"] = System.Text.Encoding.UTF8.GetBytes(truth.Checkpoint.ToString());
        await site.StartAsync();

        Assert.Equal(Problems.Root, (await VerifyAsync(site)).Findings[0].Problem);
    }

    [Fact]
    public async Task A_fork_and_a_rollback_are_found_and_growth_is_not()
    {
        var remembered = new RememberedLogs();
        await using var first = new PublicSite(Entries(300));
        await using var grown = new PublicSite(Entries(600));
        var other = Entries(600);
        other[10] = Entry(-1);
        await using var forked = new PublicSite(other);
        foreach (var site in new[] { first, grown, forked }) await site.StartAsync();

        Assert.Empty((await VerifyAsync(first, remembered)).Findings);
        Assert.Equal(Problems.Fork, (await VerifyAsync(forked, remembered)).Findings[0].Problem);
        Assert.Empty((await VerifyAsync(grown, remembered)).Findings);
        Assert.Equal(Problems.Rollback, (await VerifyAsync(first, remembered)).Findings[0].Problem);
    }

    [Fact]
    public async Task Keys_that_were_given_win_over_what_the_site_says()
    {
        await using var site = new PublicSite(Entries(3));
        await site.StartAsync();

        var trusting = await VerifyAsync(site);
        var strange = await VerifyAsync(site, keys: [Signers.Log("other.example/votes-00").Verifier]);
        var given = await VerifyAsync(site, keys: [site.Signer.Verifier]);

        Assert.Contains("first-use", trusting.ToJson(default, 0), StringComparison.Ordinal);
        Assert.Contains("first use", trusting.ToText(default, 0), StringComparison.Ordinal);
        Assert.Equal(Problems.CheckpointSignature, strange.Findings[0].Problem);
        Assert.Empty(given.Findings);
        Assert.DoesNotContain("first use", given.ToText(default, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_witness_whose_key_was_given_has_to_sign_the_log_of_logs()
    {
        await using var site = new PublicSite(Entries(3), LogName.Checkpoints);
        await site.StartAsync();
        var (witness, other) = (Signers.Witness("w.example/one"), Signers.Witness("w.example/two"));
        VerifierKey[] keys = [site.Signer.Verifier, witness.Verifier];

        var none = await VerifyAsync(site, keys: keys);
        site.Witnesses.Add((other, 0));
        var stranger = await VerifyAsync(site, keys: keys);
        site.Witnesses.Add((witness, 0));
        var signed = await VerifyAsync(site, keys: keys);
        // A witness signs after the checkpoint was shown: it is asked for again.
        site.Witnesses[1] = (witness, site.CheckpointCount + 1);
        var soon = await VerifyAsync(site, keys: keys, cosignedWithin: TimeSpan.FromSeconds(30));
        await using var another = new PublicSite(Entries(3), LogName.Events);
        await another.StartAsync();
        var unlisted = await VerifyAsync(another, keys: [another.Signer.Verifier, witness.Verifier]);

        foreach (var report in new[] { none, stranger, unlisted })
        {
            var finding = Assert.Single(report.Findings);
            Assert.Equal((Problems.Witness, LogName.Checkpoints), (finding.Problem, finding.Log));
        }

        Assert.Contains("w.example/one", none.Findings[0].Detail, StringComparison.Ordinal);
        Assert.Empty(signed.Findings);
        Assert.Empty(soon.Findings);
    }

    [Fact]
    public async Task A_log_whose_key_was_given_has_to_be_listed()
    {
        await using var site = new PublicSite(Entries(3));
        await site.StartAsync();

        var report = await VerifyAsync(site, keys: ArchivedElection.Keys);

        Assert.Equal(
            [(Problems.Rollback, "events"), (Problems.Rollback, "checkpoints")],
            report.Findings.Select(finding => (finding.Problem, finding.Log)));
        // It may have no votes.
        Assert.Contains("votes-01", report.ToText(default, 0), StringComparison.Ordinal);
    }

    private static readonly Dictionary<string, Func<StatedCheckpoint, StatedCheckpoint>> Lying = new()
    {
        ["with another root"] = one => one with { Root = Digest.Of("x"u8) },
        ["with 9 entries, and the log has 6"] = one => one with { Size = 9 },
        ["as one of voting.example/other"] = one => one with { Origin = "voting.example/other" },
        ["and no such log could be read"] = one => one with { Log = "votes-05" },
        ["as the survey's end, which it is not"] = one => one with { Size = 3 },
    };

    public static TheoryData<string> StatementLies => ["", "another key", .. Lying.Keys];

    [Theory, MemberData(nameof(StatementLies))]
    public async Task A_statement_of_a_result_is_compared_with_the_logs(string lie)
    {
        var election = new Election();
        foreach (var survey in new[] { 5, 6, 7, 8 }) election.Publish(survey);
        election.Finish(7);
        election.Publish(9);
        Digest[] entries = [.. election.Events.Select(one => Digest.Of(one))];
        await using var site = new PublicSite(entries, LogName.Events);
        var (index, end) = election.Ends.Single();
        var facts = FinalFacts.Of(end);
        var size = lie.Contains("end", StringComparison.Ordinal) ? 3 : 5;
        var honest = new StatedCheckpoint("events", site.Signer.Verifier.Name, 1, size, RootAt(size));
        var said = Lying.GetValueOrDefault(lie, one => one)(honest);
        var statement = ResultStatement.Sign(
            new(7, LogName.Events, index, Digest.Of(end), end), facts,
            [new(said.Log, said.Number, new(said.Origin, said.Size, said.Root))], DateTimeOffset.UnixEpoch,
            lie == "another key" ? Signers.Log(site.Signer.Verifier.Name, 1) : site.Signer);
        site.Results = new() { [7] = statement };
        await site.StartAsync();
        using var results = ResultKeys.Parse(Election.Jwks);

        var report = await VerifyAsync(site, results: results);

        if (lie.Length == 0)
        {
            Assert.Empty(report.Findings);
            Assert.Contains("1 statements of results", report.ToText(default, 0), StringComparison.Ordinal);
            site.Results[7] = null;
            Assert.Equal(Problems.StatementSignature, (await VerifyAsync(site)).Findings.Single().Problem);
            return;
        }

        var finding = Assert.Single(report.Findings);
        Assert.Equal(lie == "another key" ? Problems.StatementSignature : Problems.Statement, finding.Problem);
        if (lie != "another key") Assert.Contains(lie, finding.Detail, StringComparison.Ordinal);

        Digest RootAt(int count)
        {
            var tree = new TreeFrontier();
            tree.Append(entries.AsSpan(0, count));
            return tree.Root;
        }
    }

    private static async Task<VerificationReport> VerifyAsync(
        PublicSite site, RememberedLogs? remembered = null, IReadOnlyList<VerifierKey>? keys = null,
        ResultKeys? results = null, TimeSpan cosignedWithin = default)
    {
        using var http = new HttpClient();
        remembered ??= new();
        var trusted = new TrustedKeys(keys ?? [], remembered.Keys);
        var report = await new VerifyPublicLogs(
            new(http, site.Address, TimeProvider.System), trusted, remembered, results, cosignedWithin, new())
            .RunAsync(2, Cancel);
        report.Use(trusted);
        return report;
    }
}
