using Audit;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>Archive, rows and tallies are compared; each planted fault is found, named, and told once.</summary>
public sealed class ReconciliationTests(Postgres postgres)
{
    /// <summary>What somebody does by hand to the rows of partition 1, and what is found.</summary>
    private static readonly Dictionary<string, (Action<ReconcilingSite> Fault, string Found)> Faults = new()
    {
        ["options"] = (site => Change(site, 2, row => row with { Options = [103] }), "row-altered votes-01 7 2"),
        ["voter"] = (site => Change(site, 2, row => row with { VoterKey = new byte[16] }), "row-altered votes-01 7 2"),
        ["digest"] = (site => Change(site, 2, row => row with { Entry = new byte[32] }), "row-altered votes-01 7 2"),
        ["text"] = (site => Change(site, 2, row => row with { Texts = """{"11":"x"}""" }), "row-altered votes-01 7 2"),
        ["reason"] = (site => Change(site, 6, row => row with { Reason = "invalid" }), "row-altered votes-01 7 6"),
        ["counted after all"] = (
            site => Change(site, 6, row => row with { As = RecordedAs.Counted, Options = [103], Reason = null }),
            "row-altered votes-01 7 6"),
        ["set aside"] = (
            site => Change(site, 3, row => row with { As = RecordedAs.SetAside }), "row-missing votes-01 7 3"),
        ["evidence"] = (site => Change(site, 10, row => row with { Entry = new byte[32] }), "row-altered votes-01 10"),
        ["deleted"] = (site => site.Rows[1].RemoveAll(row => row.Offset == 4), "row-missing votes-01 7 4"),
        ["moved"] = (
            site => Change(site, 0, row => row with { Offset = -5 }),
            "row-missing votes-01 7 0; row-unknown votes-01 7 -5"),
        ["where a survey ends"] = (
            site => site.Rows[1].Add(site.Rows[1][0] with { Offset = 13 }), "row-unknown votes-01 7 13"),
        ["counted without outcome"] = (
            site => Change(site, 11, row => row with { As = RecordedAs.Counted }), "outcome-missing votes-01 7 11"),
    };

    [Fact]
    public async Task An_election_with_one_of_everything_agrees_whatever_restarts_in_between()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres, isLate: false);
        var election = Election.Whole();
        var early = new Partition(0);
        // Outcomes are told a while after their votes.
        early.Votes.AddRange(election.Partitions[0].Votes[..9]);
        early.Outcomes.AddRange(election.Partitions[0].Outcomes[..5]);
        await site.SealAsync(early);
        site.Rows[0].Clear();
        site.Rows[0].AddRange(ReconcilingSite.RowsOf(election.Partitions[0]).Take(9));
        site.Tallies.Clear();
        site.Tallies.Add(new(7, 0, 9, 6, [101, 102], [6, 3]));
        await site.FollowAsync();
        Assert.Equal((5L, 5L), await site.PlaceAsync());

        await site.SealAsync(election.Partitions);
        await site.FollowAsync();
        await site.FollowAsync();
        await site.PassAsync();

        Assert.Equal("", await site.OpenAsync() + await site.ToldAsync());
        Assert.Equal(
            (election.Partitions[0].Votes.Count, election.Partitions[0].Outcomes.Count), await site.PlaceAsync());
        Assert.Equal("16 7 0 5 2 2", await site.Sealing.ReadAsync<string>("""
            SELECT concat_ws(' ', submitted, counted, held, rejected, repeated, set_aside)
            FROM audit.reconciled_surveys WHERE log = 'votes-00'
            """));
        Assert.True(await site.Sealing.ReadAsync<bool>(
            "SELECT bool_and(completed_at IS NOT NULL) AND count(*) = 4 FROM audit.reconciled"));
    }

    [Fact]
    public async Task Each_planted_fault_is_found_named_and_told_once_and_told_again_when_it_is_gone()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        await site.SealAsync(Election.Whole().Partitions);
        await site.FollowAsync();
        foreach (var (name, (fault, found)) in Faults)
        {
            RecordedVote[] rows = [.. site.Rows[1]];
            fault(site);
            await site.PassAsync();
            await site.PassAsync();
            Assert.True(found == await site.OpenAsync(), $"{name}: {await site.OpenAsync()}");
            var count = found.Split("; ").Length;
            Assert.Equal(
                string.Join("; ", Enumerable.Repeat("audit.difference-found", count)), await site.ToldAsync());

            site.Rows[1].Clear();
            site.Rows[1].AddRange(rows);
            await site.PassAsync();
            Assert.Equal("", await site.OpenAsync());
            Assert.EndsWith("audit.difference-resolved", await site.ToldAsync(), StringComparison.Ordinal);
            await site.Sealing.ExecuteAsync("DELETE FROM audit.outbox");
        }
    }

    [Fact]
    public async Task What_is_in_cold_storage_is_passed_over_and_nothing_is_cried_about()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        await site.SealAsync(Election.Whole().Partitions);
        var more = Election.Whole();
        foreach (var votes in more.Partitions)
        {
            for (var voter = 0; voter < 30; voter++) votes.Count(votes.Submit((votes.Number * 100) + 20 + voter, 101));
        }

        await site.SealAsync(more.Partitions);
        await site.FollowAsync();
        var cold = new ColdStore(site.Sealing.Store, key => key.StartsWith("votes/votes-01", StringComparison.Ordinal)
            && key.Contains("checkpoint_0000000001/segment", StringComparison.Ordinal));
        Change(site, 2, row => row with { Options = [103] });
        await site.PassAsync(cold);
        Assert.Equal("", await site.OpenAsync());

        var last = more.Partitions[1].Votes.Count - 1;
        Change(site, last, row => row with { Options = [103] });
        await site.PassAsync(cold);
        Assert.Equal($"row-altered votes-01 7 {last}", await site.OpenAsync());
    }

    [Fact]
    public async Task A_tally_that_is_altered_made_up_or_gone_is_found_whatever_is_counted_meanwhile()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        await site.SealAsync(Election.Whole().Partitions);
        // Counted, and not archived yet.
        var ahead = site.Rows[0][0] with { Offset = site.NextOffsets[0], Options = [103] };
        site.Rows[0].Add(ahead);
        site.NextOffsets[0]++;
        var tally = site.Tallies.Single(one => one.Partition == 0);
        var grown = tally with
        {
            Ballots = tally.Ballots + 1,
            Options = [101, 102, 103],
            Votes = [tally.Votes[0], tally.Votes[1], tally.Votes[2] + 1],
        };
        site.Tallies[site.Tallies.IndexOf(tally)] = grown;
        await site.FollowAsync();
        Assert.Equal("", await site.OpenAsync());

        site.Tallies[0] = grown with { Votes = [grown.Votes[0] - 1, grown.Votes[1] + 1, grown.Votes[2]] };
        site.Tallies.Add(new(8, 1, 3, 1, [201], [1]));
        site.Tallies.RemoveAll(one => one.Partition == 1 && one.Survey == 7);
        site.Strays.Add(new(1, 1_000_000, 7));
        await site.FollowAsync();
        await site.FollowAsync();
        Assert.Equal(
            ["row-stray votes-01 7 1000000", "tally-altered votes-00 7", "tally-altered votes-01 7",
                "tally-altered votes-01 8"],
            (await site.OpenAsync()).Split("; ").Order(StringComparer.Ordinal));
        Assert.Equal(4, (await site.ToldAsync()).Split("; ").Length);
    }

    [Fact]
    public async Task A_vote_whose_outcome_does_not_come_is_named_and_is_no_more_once_it_comes()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        var votes = new Partition(0);
        votes.Count(votes.Submit(1, 101));
        var silent = votes.Submit(2, 101);
        await site.SealAsync(votes);
        site.Rows[0].RemoveAll(row => row.Offset == silent);
        site.Rows[0].Add(site.Rows[0][0] with { Offset = silent });
        site.Tallies.Clear();
        site.Tallies.Add(new(7, 0, 2, 2, [101], [2]));
        await site.FollowAsync();
        await site.FollowAsync();
        Assert.Equal("outcome-missing votes-00 7 1", await site.OpenAsync());

        votes.Count(silent);
        votes.Fence();
        await site.SealAsync(votes);
        await site.FollowAsync();
        Assert.Equal("", await site.OpenAsync());
        Assert.Equal((3L, 2L), await site.PlaceAsync());

        var lost = votes.Submit(3, 101);
        votes.Count(votes.Submit(4, 102));
        await site.SealAsync(votes);
        site.Rows[0].RemoveAll(row => row.Offset == lost);
        await site.FollowAsync();
        Assert.Equal("outcome-missing votes-00 7 3", await site.OpenAsync());
    }

    [Fact]
    public async Task However_much_is_open_elsewhere_what_is_found_here_is_told_and_the_log_is_kept()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        await site.Sealing.ExecuteAsync("""
            INSERT INTO audit.differences (area, kind, log, place, detail)
            SELECT area, 'root', log, place, '' FROM generate_series(1, 10000) AS place
            CROSS JOIN (VALUES ('verification', 'votes-00'), ('reconciliation', 'votes-01')) AS elsewhere (area, log)
            """);
        var votes = new Partition(0);
        votes.Count(votes.Submit(1, 101));
        votes.Fence();
        await site.SealAsync(votes);
        site.Rows[0].Clear();
        await site.FollowAsync();
        Assert.Equal(1, await site.Sealing.ReadAsync<long>("""
            SELECT count(*) FROM audit.differences WHERE kind = 'row-missing' AND log = 'votes-00' AND place = 0
            """));
        // A round may take longer than the time to the next one.
        Assert.True(await site.Sealing.ReadAsync<bool>("""
            SELECT bool_and(claimed_until > now() + interval '30 seconds') FROM audit.reconciled
            WHERE kind = 'follow'
            """));
    }

    [Fact]
    public async Task A_shard_that_lost_rows_is_given_time_to_count_them_again()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        var votes = new Partition(0);
        votes.Count(votes.Submit(1, 101));
        votes.Count(votes.Submit(2, 101));
        await site.SealAsync(votes);
        RecordedVote[] rows = [.. site.Rows[0]];
        (site.NextOffsets[0], site.Tallies[0]) = (1, new(7, 0, 1, 1, [101], [1]));
        site.Rows[0].RemoveAt(1);
        var process = site.Start();
        await process.FollowAsync(TestContext.Current.CancellationToken);
        Assert.Equal("", await site.OpenAsync());
        site.Clock.Advance(new ReconciliationOptions().OutcomeWaitMax);
        await process.FollowAsync(TestContext.Current.CancellationToken);
        Assert.Equal("position-behind votes-00 0", await site.OpenAsync());

        (site.NextOffsets[0], site.Tallies[0]) = (2, new(7, 0, 2, 2, [101], [2]));
        site.Rows[0].Add(rows[1]);
        await process.FollowAsync(TestContext.Current.CancellationToken);
        Assert.Equal("", await site.OpenAsync());
    }

    private static void Change(ReconcilingSite site, long offset, Func<RecordedVote, RecordedVote> change)
    {
        var at = site.Rows[1].FindIndex(row => row.Offset == offset);
        Assert.True(at >= 0, $"There is no row {offset}.");
        site.Rows[1][at] = change(site.Rows[1][at]);
    }
}
