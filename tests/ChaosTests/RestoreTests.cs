using Testing;

namespace ChaosTests;

/// <summary>Shards and log that were restored to different moments.</summary>
[Collection(CountingSite.Name)]
public sealed class RestoreTests(Site site)
{
    private const int Voters = 60;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(+1000, "it has lost records")]
    [InlineData(-1, "the shard has lost rows")]
    public async Task A_consumer_refuses_to_count_where_one_of_them_was_restored_behind_the_other(
        int distance, string reason)
    {
        var election = await site.PublishAsync();
        await site.CastAsync(election, Voters);
        await site.SettleAsync();
        await site.Consumer.KillAsync();
        var (schema, partition) = await CountedPartitionAsync();
        await MoveAsync(schema, partition, distance);
        try
        {
            var (code, said) = await RunToItsEndAsync();
            Assert.NotEqual(0, code);
            Assert.Contains(reason, said, StringComparison.Ordinal);
        }
        finally
        {
            await MoveAsync(schema, partition, -distance);
        }

        await site.StartConsumerAsync();
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(Voters, ledger.Count(election, "counted"));
    }

    private async Task<(string Schema, int Partition)> CountedPartitionAsync()
    {
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            var partition = await site.ReadAsync<int>(
                $"SELECT coalesce(max(partition), -1) FROM {schema}.positions WHERE next_offset > 0");
            if (partition >= 0) return (schema, partition);
        }

        throw new InvalidOperationException("Nothing is counted.");
    }

    private Task<int> MoveAsync(string schema, int partition, int distance) => site.ExecuteAsync(
        $"UPDATE {schema}.positions SET next_offset = next_offset + {distance} WHERE partition = {partition}");

    /// <summary>It may say that it is ready before the partitions come to it, or not come so far.</summary>
    private async Task<(int Code, string Said)> RunToItsEndAsync()
    {
        try
        {
            await using var consumer = await site.Installation.StartHostAsync("consumer", cancel: Cancel);
            return (await consumer.WaitForExitAsync(Cancel), consumer.LastOutput);
        }
        catch (ProcessFailedException e)
        {
            return (1, e.Message);
        }
    }
}
