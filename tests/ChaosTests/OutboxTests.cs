using System.Text;
using System.Text.Json;

namespace ChaosTests;

/// <summary>What is told of surveys reaches the log although the consumer that brings it is killed.</summary>
[Collection(CountingSite.Name)]
public sealed class OutboxTests(Site site)
{
    // Every module's, every shard's.
    private const string Waiting = """
        SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(
            format('SELECT count(*) AS n FROM %I.outbox', schemaname), false, true, '')))[1]::text::bigint), 0)::bigint
        FROM pg_tables WHERE tablename = 'outbox'
        """;

    [Fact]
    public async Task Killed_between_the_append_and_its_own_deletion_it_says_the_same_bytes_again()
    {
        // What is told of the token, and of what was before, must not be what the consumer waits with.
        await site.Installation.StaffTokenAsync("manager");
        await IsAllToldAsync();
        Election election;
        await using (var held = await HeldLock.TakeAsync(
            site.Database, "SELECT FROM platform.log_partitions WHERE topic = 'domain-events' FOR UPDATE"))
        {
            election = await site.PublishAsync();
            await Until.HoldsAsync("the consumer waits for the log", async () => (await held.HeldAsync()).Length > 0);
            await site.Consumer.KillAsync();
            // What the dead process had sent goes through once the lock is gone; nobody deletes what it was made from.
        }

        await Until.HoldsAsync("the log has what the dead one sent", async () => (await ToldAsync(election)).Count > 0);
        Assert.True(await site.ReadAsync<long>("SELECT count(*) FROM voting.outbox") > 0);
        var before = await ToldAsync(election);
        await site.StartConsumerAsync();
        await IsAllToldAsync();

        var after = await ToldAsync(election);
        Assert.Equal(before, after[..before.Count]);
        Assert.True(after.Count > after.Distinct().Count(), "Nothing was said again.");
        Assert.Equal(["survey.created", "survey.published"], after.Distinct().Select(TypeOf));
    }

    private Task IsAllToldAsync() => Until.HoldsAsync(
        "no event waits any more", async () => await site.ReadAsync<long>(Waiting) == 0);

    private async Task<List<string>> ToldAsync(Election election) =>
    [
        .. (await site.LogAsync("domain-events"))
            .Where(record => Encoding.UTF8.GetString(record.Key) == $"survey/{election.Id}")
            .Select(record => Encoding.UTF8.GetString(record.Value)),
    ];

    private static string TypeOf(string told) => JsonElement.Parse(told).GetProperty("type").GetString()!;
}
