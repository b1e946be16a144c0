using Testing;

namespace ChaosTests;

/// <summary>Shards and log that were restored to different moments.</summary>
[Collection(CountingSite.Name)]
public sealed class RestoreTests(Site site)
{
    private const int Voters = 60;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_restored_shard_lacks_is_counted_again_from_the_log()
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();
        await site.Consumer.KillAsync();
        var lost = 0;
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            await site.ExecuteAsync($"""
                UPDATE {schema}.positions SET next_offset = first."offset" FROM (
                    SELECT partition, min("offset") AS "offset" FROM {schema}.ballots WHERE survey = {election.Id}
                    GROUP BY partition) AS first
                WHERE positions.partition = first.partition
                """);
            lost += await site.ExecuteAsync($"DELETE FROM {schema}.ballots WHERE survey = {election.Id}");
            await site.ExecuteAsync($"DELETE FROM {schema}.tallies WHERE survey = {election.Id}");
        }

        Assert.Equal(Voters, lost);
        await site.StartConsumerAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(2 * Voters, ledger.Count(election, "counted"));
    }

    [Fact]
    public async Task A_consumer_refuses_to_pass_over_what_a_log_takes_that_was_restored_behind_the_shards()
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();
        await site.Consumer.KillAsync();
        var schema = (await Ledger.SchemasAsync(site.Database))[0];
        await site.ExecuteAsync($"UPDATE {schema}.positions SET next_offset = next_offset + 1000");
        try
        {
            // Ready it may be before the partitions come to it.
            var code = 0;
            var said = "";
            try
            {
                await using var consumer = await site.Installation.StartHostAsync("consumer", cancel: Cancel);
                code = await consumer.WaitForExitAsync(Cancel);
                said = consumer.LastOutput;
            }
            catch (ProcessFailedException e)
            {
                (code, said) = (1, e.Message);
            }

            Assert.Equal(1, code);
            Assert.Contains("it has lost records", said, StringComparison.Ordinal);
        }
        finally
        {
            await site.ExecuteAsync($"UPDATE {schema}.positions SET next_offset = next_offset - 1000");
        }

        await site.StartConsumerAsync();
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }
}
