using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Platform;
using Testing;
using Voting;

namespace VotingTests;

/// <summary>What is said again after a restart, from the rows.</summary>
public sealed class StoredOutcomesTests(Postgres postgres)
{
    private const int Partition = 3;
    private const int OffsetMax = 30_000;

    [Fact]
    public async Task Each_names_the_one_before_it_wherever_reading_begins_and_the_rest_of_the_partition_is_not_read()
    {
        var cancel = TestContext.Current.CancellationToken;
        var (services, database) = await SurveyHost.ServicesAsync(postgres, TimeProvider.System);
        await using var _ = database;
        await using var __ = services;
        var shards = new VotingDatabase(
            services.GetRequiredService<ShardMap>(),
            services.GetRequiredService<IOptions<DatabaseOptions>>());
        var schema = shards.OfPartition(Partition).Schema;
        // Fences and what was set aside have no outcome: the offsets have holes, and so have the tables between them.
        await using (var fill = database.Source.CreateCommand($"""
            INSERT INTO {schema}.ballots
            SELECT 1, sha(i, 16), sha(i, 16), {Partition}, i, now(), now(), '{"{1}"}', NULL, sha(i, 32), '', NULL
            FROM generate_series(10, {OffsetMax}) AS i WHERE i % 7 NOT IN (3, 4);
            INSERT INTO {schema}.refused
            SELECT {Partition}, i, 4, NULL, 1, sha(i, 16), sha(i, 16), now(), now(), sha(i, 32), ''
            FROM generate_series(10, {OffsetMax}) AS i WHERE i % 7 = 3;
            ANALYZE {schema}.ballots, {schema}.refused
            """.Replace("sha(i, ", "substr(sha256(i::text::bytea), 1, ", StringComparison.Ordinal)))
        {
            await fill.ExecuteNonQueryAsync(cancel);
        }

        await using var forget = database.Source.CreateCommand("SELECT pg_stat_reset()");
        await forget.ExecuteNonQueryAsync(cancel);
        var all = Enumerable.Range(10, OffsetMax - 9).Where(offset => offset % 7 != 4).ToArray();
        var store = new PostgresBallotStore(shards);
        (int From, int To)[] ranges =
            [(0, 12), (0, 5), (10, 11), (17, 40), (18, 19), (29_990, 40_000), (40_000, 50_000)];
        foreach (var (from, to) in ranges)
        {
            var said = await store.OutcomesAsync(Partition, from, to, cancel);
            Assert.Equal(
                all.Where(offset => offset >= from && offset < to), said.Select(outcome => (int)outcome.Offset));
            foreach (var outcome in said)
            {
                Assert.Equal(all.LastOrDefault(offset => offset < outcome.Offset, -1), outcome.Previous);
                Assert.Equal(outcome.Offset % 7 == 3 ? OutcomeKind.Repeated : OutcomeKind.Counted, outcome.Kind);
            }
        }

        // The server tells within a second of what its sessions have read.
        long looks, scans;
        do
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancel);
            await using var query = database.Source.CreateCommand($"""
                SELECT sum(idx_scan)::bigint, sum(seq_scan)::bigint FROM pg_stat_user_tables
                WHERE schemaname = '{schema}' AND relname IN ('ballots', 'refused')
                """);
            await using var rows = await query.ExecuteReaderAsync(cancel);
            await rows.ReadAsync(cancel);
            (looks, scans) = (rows.GetInt64(0), rows.GetInt64(1));
        }
        while (looks == 0);

        Assert.Equal(0, scans);
    }
}
