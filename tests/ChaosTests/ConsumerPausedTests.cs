namespace ChaosTests;

/// <summary>
/// A consumer that stops in the middle of its work and goes on long after another has taken its place.
/// </summary>
[Collection(CountingSite.Name)]
public sealed class ConsumerPausedTests(Site site)
{
    private const int Voters = 60;

    [Fact]
    public async Task Paused_between_rows_and_offset_it_changes_nothing_that_its_successor_did()
    {
        var election = await site.PublishAsync();
        await using var zombie = site.Consumer;
        await using (var held = await HeldLock.TakeAsync(
            site.Database, "SELECT FROM platform.log_positions WHERE group_name = 'count' FOR UPDATE"))
        {
            await site.CastAsync(election, Voters);
            await Until.HoldsAsync("every worker has committed rows and waits to commit its position", async () =>
                (await held.HeldAsync()).Length == await site.ReadAsync<long>("""
                    SELECT count(*) FROM platform.log_partitions AS log
                    JOIN platform.log_positions AS done USING (topic, partition)
                    WHERE log.topic = 'votes' AND done.group_name = 'count' AND log.next_offset > done.next_offset
                    """) && await OpenTransactionsAsync() == 0);
            Assert.NotEqual(0, (await Promises.RecountAsync(site, election)).Ballots);
            await zombie.PauseAsync();
        }

        await site.StartConsumerAsync();
        await site.SettleAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();
        zombie.Resume();
        await Until.HoldsAsync("both are members of the group", async () => await site.ReadAsync<long>("""
            SELECT count(*) FROM platform.log_members WHERE group_name = 'count' AND seen_at > now() - interval '1 s'
            """) == 2);
        await site.CastAsync(election, Voters);

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(3 * Voters, ledger.Count(election, "counted"));
        Assert.False(zombie.HasExited, $"The zombie fell over what its successor did: {zombie.LastOutput}");
    }

    [Fact]
    public async Task Paused_in_the_middle_of_a_transaction_it_keeps_nobody_from_counting()
    {
        var election = await site.PublishAsync();
        await using var zombie = site.Consumer;
        var tables = await site.TablesAsync("tallies");
        await using (var held = await HeldLock.TakeAsync(site.Database, $"LOCK TABLE {tables} IN SHARE MODE"))
        {
            await site.CastAsync(election, Voters);
            await Until.HoldsAsync(
                "the consumer waits to write tallies", async () => (await held.HeldAsync()).Length > 0);
            await zombie.PauseAsync();
        }

        // Its transactions stay open, with all they have locked, and nobody is there to end them.
        await Until.HoldsAsync("transactions are idle", async () => await OpenTransactionsAsync() > 0);
        Assert.Equal(0, (await Promises.RecountAsync(site, election)).Ballots);
        await site.StartConsumerAsync();
        await site.SettleAsync();
        // The lock under which surveys are closed was the zombie's as well.
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        await Until.HoldsAsync("the result is final", async () => await site.ReadAsync<string>(
            $"SELECT status FROM voting.surveys WHERE id = {election.Id}") == "finished");

        zombie.Resume();
        Assert.NotEqual(0, await zombie.WaitForExitAsync(TestContext.Current.CancellationToken));
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }

    /// <returns>Transactions that have written and for whose next word the server waits.</returns>
    private Task<long> OpenTransactionsAsync() => site.ReadAsync<long>("""
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'voting voting'
            AND state = 'idle in transaction' AND backend_xid IS NOT NULL
        """);
}
