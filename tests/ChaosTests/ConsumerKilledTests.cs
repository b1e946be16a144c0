namespace ChaosTests;

[Collection(CountingSite.Name)]
public sealed class ConsumerKilledTests(Site site)
{
    private const int Voters = 60;

    private const string AllOutcomePartitions =
        "SELECT FROM platform.log_partitions WHERE topic = 'vote-outcomes' FOR UPDATE";

    private const string AllPositions =
        "SELECT FROM platform.log_positions WHERE group_name = 'count' AND topic = 'votes' FOR UPDATE";

    [Fact]
    public async Task Killed_between_rows_and_outcomes_it_says_them_from_the_rows()
    {
        var election = await site.PublishAsync();
        var before = await Ledger.ReadAsync(site);
        await using (var held = await HeldLock.TakeAsync(site.Database, AllOutcomePartitions))
        {
            await site.CastAsync(election, Voters);
            await RowsAreAheadAsync(election);
            await Until.HoldsAsync(
                "the consumer waits to say outcomes", async () => (await held.HeldAsync()).Length > 0);
            Assert.Equal(before.Outcomes.Count, (await LogTables.ReadAsync(site.Database, "vote-outcomes")).Count);
            await site.Consumer.KillAsync();
            // What the dead process had sent goes through once the lock is gone, beside what its successor says.
        }

        await site.StartConsumerAsync();
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }

    [Fact]
    public async Task Killed_between_outcomes_and_offset_it_says_the_same_bytes_again()
    {
        var election = await site.PublishAsync();
        var again = (await Ledger.ReadAsync(site)).AssertOutcomesAreComplete();
        await using (var held = await HeldLock.TakeAsync(site.Database, AllPositions))
        {
            await site.CastAsync(election, Voters);
            await RowsAreAheadAsync(election);
            await Until.HoldsAsync("the consumer waits to commit its position", async () =>
                (await held.HeldAsync()).Length > 0 && await SaidBeyondPositionsAsync() > 0);
            await site.Consumer.KillAsync();
            Assert.True(await held.EndHeldAsync() > 0);
            Assert.True(await SaidBeyondPositionsAsync() > 0, "No outcome was said without its position.");
        }

        await site.StartConsumerAsync();
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
        Assert.True(ledger.AssertOutcomesAreComplete() > again, "Nothing was said again.");
    }

    [Theory]
    [InlineData("positions", "before it has written anything")]
    [InlineData("tallies", "after it has written rows that are not committed")]
    public async Task Killed_before_the_commit_of_rows_it_counts_everything_once(string table, string when)
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();
        var tables = await site.TablesAsync(table);
        await using (var held = await HeldLock.TakeAsync(site.Database, $"LOCK TABLE {tables} IN SHARE MODE"))
        {
            await site.CastAsync(election, Voters);
            await Until.HoldsAsync($"the consumer waits {when}", async () => (await held.HeldAsync()).Length > 0);
            Assert.Equal(Voters, (await Promises.RecountAsync(site, election)).Ballots);
            await site.Consumer.KillAsync();
        }

        await site.StartConsumerAsync();
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(2 * Voters, ledger.Count(election, "counted"));
    }

    [Fact]
    public async Task Everything_delivered_again_changes_nothing()
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, Voters);
        var before = await site.AssertKeptAsync(election);
        var rows = await RowsAsync();
        Assert.Equal(0, await site.Consumer.TerminateAsync(TestContext.Current.CancellationToken));

        Assert.Equal(16, await site.ExecuteAsync(
            "UPDATE platform.log_positions SET next_offset = 0 WHERE group_name = 'count'"));
        await site.StartConsumerAsync();

        var after = await site.AssertKeptAsync(election);
        Assert.Equal(rows, await RowsAsync());
        Assert.Equal(before.Records.Count, after.Records.Count);
        // Each was said again at least once: a busy machine may end a session and deliver some of it a third time.
        var different = before.Outcomes.Count - before.AssertOutcomesAreComplete();
        Assert.True(after.Outcomes.Count >= before.Outcomes.Count + different);
    }

    /// <summary>
    /// The fault stands between the two commits: rows are there that the group's position does not know.
    /// </summary>
    private Task RowsAreAheadAsync(Election election) =>
        Until.HoldsAsync("rows are committed and the group's position is behind", async () =>
        {
            if ((await Promises.RecountAsync(site, election)).Ballots == 0) return false;
            foreach (var schema in await Ledger.SchemasAsync(site.Database))
            {
                if (await site.ReadAsync<long>($"""
                    SELECT count(*) FROM {schema}.positions AS counted
                    JOIN platform.log_positions AS done USING (partition)
                    WHERE done.topic = 'votes' AND done.group_name = 'count' AND done.next_offset < counted.next_offset
                    """) > 0)
                {
                    return true;
                }
            }

            return false;
        });

    private async Task<int> SaidBeyondPositionsAsync()
    {
        var positions = new Dictionary<int, long>();
        await using var query = site.Database.CreateCommand(
            "SELECT partition, next_offset FROM platform.log_positions WHERE group_name = 'count' AND topic = 'votes'");
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync()) positions[rows.GetInt32(0)] = rows.GetInt64(1);
        var said = await LogTables.ReadAsync(site.Database, "vote-outcomes");
        return said.Count(record => System.Text.Json.JsonElement.Parse(record.Value)
            .GetProperty("data").GetProperty("offset").GetInt64() >= positions[record.Partition]);
    }

    private async Task<string> RowsAsync()
    {
        var all = new System.Text.StringBuilder();
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            foreach (var table in new[] { "ballots", "refused", "poison", "fences", "tallies", "positions" })
            {
                all.AppendLine(await site.ReadAsync<string>($"""
                    SELECT coalesce(string_agg(row::text, ';' ORDER BY row::text), '') FROM {schema}.{table} AS row
                    """));
            }
        }

        return all.ToString();
    }
}
