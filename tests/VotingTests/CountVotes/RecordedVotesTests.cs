using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Platform;
using Testing;
using Voting;
using Voting.Contracts;

namespace VotingTests;

/// <summary>What the shards hold, as it is read out for whoever compares it with the archive.</summary>
public sealed class RecordedVotesTests(Postgres postgres)
{
    private const int Partition = 3;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rows_tallies_and_strays_are_read_as_they_are_of_one_moment()
    {
        var (services, database) = await SurveyHost.ServicesAsync(postgres, TimeProvider.System);
        await using var _ = database;
        await using var __ = services;
        var shards = new VotingDatabase(
            services.GetRequiredService<ShardMap>(), services.GetRequiredService<IOptions<DatabaseOptions>>());
        var schema = shards.OfPartition(Partition).Schema;
        await using (var fill = database.Source.CreateCommand($"""
            INSERT INTO {schema}.ballots
            SELECT 1 + i % 2, sha(i, 16), sha(i, 16), {Partition}, i, 'epoch', 'epoch', ARRAY[i % 3, 9],
                '{"{\"11\": \"x\"}"}', sha(i, 32), '', NULL
            FROM generate_series(10, 19) AS i;
            INSERT INTO {schema}.ballots
            SELECT 5, sha(i, 16), sha(i, 16), CASE i WHEN 40 THEN 99 ELSE {Partition} END, i, 'epoch', 'epoch',
                '{"{1}"}', NULL, sha(i, 32), '', NULL
            FROM generate_series(40, 41) AS i;
            INSERT INTO {schema}.refused
            SELECT {Partition}, 20, 3, 'invalid', 1, sha(16), sha(16), 'epoch', 'epoch', sha(32), '';
            INSERT INTO {schema}.poison VALUES ({Partition}, 21, 'junk', 'x', now());
            INSERT INTO {schema}.tallies VALUES (1, {Partition}, 22, 5, '{"{0,1,2,9}"}', '{"{2,1,2,5}"}');
            INSERT INTO {schema}.tallies VALUES (1, 99, 1, 1, '{"{1}"}', '{"{1}"}');
            UPDATE {schema}.positions SET next_offset = 22 WHERE partition = {Partition}
            """.Replace("sha(i, ", "substr(sha256(i::text::bytea), 1, ", StringComparison.Ordinal)
            .Replace("sha(", "substr(sha256('x'), 1, ", StringComparison.Ordinal)))
        {
            await fill.ExecuteNonQueryAsync(Cancel);
        }

        var read = await new ReadRecordedVotesHandler(shards).Handle(new(Partition, 18, 22), Cancel);
        Assert.Equal(22, read.NextOffset);
        Assert.Equal(
            [(18, RecordedAs.Counted, 1), (19, RecordedAs.Counted, 2), (20, RecordedAs.Rejected, 1),
                (21, RecordedAs.SetAside, 0)],
            read.Votes.Select(row => ((int)row.Offset, row.As, row.Survey)).Order());
        var counted = read.Votes.Single(row => row.Offset == 18);
        Assert.Equal([0, 9], counted.Options!);
        Assert.Equal("""{"11": "x"}""", counted.Texts);
        Assert.Equal((DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch), (counted.AcceptedAt, counted.DecidedAt));
        Assert.Equal((16, 16, 32), (counted.VoterKey.Length, counted.VoteId.Length, counted.Entry.Length));
        Assert.Equal("invalid", read.Votes.Single(row => row.Offset == 20).Reason);
        Assert.Equal(
            System.Security.Cryptography.SHA256.HashData("junk"u8),
            read.Votes.Single(row => row.Offset == 21).Entry.ToArray());

        var tallies = await new ReadPartitionTalliesHandler(shards).Handle(new(Partition, 17, 100), Cancel);
        // The other one is of a partition that the shard does not hold.
        Assert.Equal([Partition, 99], tallies.Tallies.Select(tally => tally.Partition).Order());
        var since = tallies.Since!.Single(tally => tally.Survey == 2);
        Assert.Equal(2, since.Ballots);
        Assert.Equal([1, 2, 9], since.Options);
        Assert.Equal([1, 1, 2], since.Votes.Select(votes => (int)votes));
        Assert.Equal([(Partition, 41L, 5), (99, 40L, 5)],
            tallies.Strays.Select(stray => (stray.Partition, stray.Offset, stray.Survey)).Order());
        Assert.Null((await new ReadPartitionTalliesHandler(shards).Handle(new(Partition, 0, 21), Cancel)).Since);
        await IsReadWhateverIsInItAsync(database, shards);
    }

    private static async Task IsReadWhateverIsInItAsync(TestDatabase database, VotingDatabase shards)
    {
        var schema = shards.OfPartition(Partition).Schema;
        await using var damage = database.Source.CreateCommand($"""
            UPDATE {schema}.ballots
            SET options = '{"{NULL,9}"}', accepted_at = '-infinity', decided_at = '4000-01-01 BC'
            WHERE "offset" = 18;
            UPDATE {schema}.ballots SET options = '{"{{1},{9}}"}', accepted_at = 'infinity' WHERE "offset" = 19;
            UPDATE {schema}.tallies SET options = '{"{NULL,9}"}', votes = '{"{NULL,5}"}' WHERE partition = 99
            """);
        await damage.ExecuteNonQueryAsync(Cancel);
        var altered = await new ReadRecordedVotesHandler(shards).Handle(new(Partition, 18, 20), Cancel);
        Assert.Equal([-1, 9], altered.Votes.Single(row => row.Offset == 18).Options!);
        Assert.Equal([1, 9], altered.Votes.Single(row => row.Offset == 19).Options!);
        Assert.All(altered.Votes, row => Assert.Null(row.AcceptedAt));
        var odd = await new ReadPartitionTalliesHandler(shards).Handle(new(Partition, 18, 100), Cancel);
        Assert.Equal([-1, 5], odd.Tallies.Single(tally => tally.Partition == 99).Votes);
        Assert.Contains(odd.Since!, tally => tally.Options.Contains(-1));
    }
}
