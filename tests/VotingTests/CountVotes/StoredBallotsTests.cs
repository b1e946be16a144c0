using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Platform;
using Testing;
using Voting;

namespace VotingTests;

/// <summary>A batch's ballots in the shard's table, whichever way they came there.</summary>
public sealed class StoredBallotsTests(Postgres postgres) : IAsyncLifetime
{
    private const int Partition = 3;

    private ServiceProvider _services = null!;
    private TestDatabase _database = null!;
    private PostgresBallotStore _store = null!;
    private string _schema = "";
    private CountPlace _place;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        (_services, _database) = await SurveyHost.ServicesAsync(postgres, TimeProvider.System);
        var shards = new VotingDatabase(
            _services.GetRequiredService<ShardMap>(), _services.GetRequiredService<IOptions<DatabaseOptions>>());
        _schema = shards.OfPartition(Partition).Schema;
        _store = new(shards);
        _place = (await _store.LoadAsync(Partition, Cancel)).Place;
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_voter_who_is_there_already_is_left_out_and_nobody_else()
    {
        Assert.All(await StoreAsync(Ballots(0, 100)), Assert.True);

        // One of a hundred, then none, then the same crowd again, then a few: none may be lost on any of these ways.
        var mixed = await StoreAsync([.. Ballots(100, 60), Ballot(160, voter: 7), .. Ballots(161, 39)]);
        Assert.Equal([60], Enumerable.Range(0, 100).Where(i => !mixed[i]));
        Assert.All(await StoreAsync(Ballots(200, 100)), Assert.True);
        Assert.All(await StoreAsync(Ballots(300, 100)), Assert.True);
        Assert.All(await StoreAsync([.. Enumerable.Range(0, 50).Select(i => Ballot(400 + i, voter: i))]), Assert.False);
        Assert.Equal(new[] { true, false }, await StoreAsync([Ballot(450), Ballot(451, voter: 450)]));

        Assert.Equal(400, await CountAsync("voter_key = vote_id"));
        Assert.Equal(0, await CountAsync("voter_key <> vote_id"));
    }

    [Fact]
    public async Task Of_two_ballots_of_a_voter_in_one_batch_the_earlier_one_is_stored()
    {
        var stored = await StoreAsync([.. Ballots(0, 50), Ballot(50, voter: 60), .. Ballots(51, 30)]);

        // Whoever stands at offset 60 came after somebody had voted in that name.
        Assert.Equal([60], Enumerable.Range(0, stored.Length).Where(i => !stored[i]));
        Assert.Equal(1, await CountAsync("\"offset\" = 50"));
    }

    [Fact]
    public async Task A_batch_that_breaks_off_behind_its_ballots_leaves_none()
    {
        await using (var batch = await BeginAsync(100)) await batch.InsertAsync(Ballots(0, 100));

        Assert.Equal(0, await CountAsync("true"));
        Assert.All(await StoreAsync(Ballots(0, 100)), Assert.True);
    }

    [Fact]
    public async Task A_row_is_the_same_whichever_way_it_came_there()
    {
        CountedBallot[] told = [.. Enumerable.Range(0, 80).Select(i => Ballot(i) with
        {
            Vote = Ballot(i).Vote with
            {
                Answers =
                [
                    new(1, [.. Enumerable.Range(10, i % 5)], i % 3 == 0 ? $"\"{{ü}}\\ {i}" : null), new(2, [5], null),
                ],
            },
            Idempotency = i % 2 == 0 ? new byte[16] : (ReadOnlyMemory<byte>?)null,
            Receipt = i % 4 == 0 ? ReadOnlyMemory<byte>.Empty : new byte[] { 1, 2, (byte)i },
        })];
        await StoreAsync(told);
        var copied = await RowsAsync();
        await using (var clear = _database.Source.CreateCommand($"DELETE FROM {_schema}.ballots"))
            await clear.ExecuteNonQueryAsync(Cancel);

        foreach (var few in told.Chunk(8)) await StoreAsync(few);

        Assert.Equal(80, copied.Count);
        Assert.Equal(copied, await RowsAsync());
    }

    private static CountedBallot[] Ballots(int from, int count) =>
        [.. Enumerable.Range(from, count).Select(offset => Ballot(offset))];

    private static CountedBallot Ballot(int offset, int? voter = null) => new(
        offset,
        new(1 + ((voter ?? offset) % 3), Key(voter ?? offset), Key(offset), default,
            DateTimeOffset.UnixEpoch.AddSeconds(offset), [new(1, [10], null)]),
        DateTimeOffset.UnixEpoch.AddDays(1), new byte[32], new byte[] { 1 }, null);

    private static Key16 Key(int number) => new((UInt128)(uint)(number * 7919));

    private async Task<bool[]> StoreAsync(CountedBallot[] ballots)
    {
        await using var batch = await BeginAsync(ballots.Length);
        var stored = await batch.InsertAsync(ballots);
        await batch.CompleteAsync(new([], [], [], [], DateTimeOffset.UnixEpoch));
        _place = _place with { NextOffset = _place.NextOffset + ballots.Length };
        return stored;
    }

    private async Task<IBallotBatch> BeginAsync(int count)
    {
        var batch = await _store.BeginAsync(Partition, _place, _place.NextOffset + count, Cancel);
        Assert.NotNull(batch);
        return batch;
    }

    private async Task<long> CountAsync(string condition)
    {
        await using var query = _database.Source.CreateCommand(
            $"SELECT count(*) FROM {_schema}.ballots WHERE {condition}");
        return (long)(await query.ExecuteScalarAsync(Cancel))!;
    }

    private async Task<List<string>> RowsAsync()
    {
        await using var query = _database.Source.CreateCommand(
            $"SELECT ballot::text FROM {_schema}.ballots AS ballot ORDER BY \"offset\"");
        await using var rows = await query.ExecuteReaderAsync(Cancel);
        var found = new List<string>();
        while (await rows.ReadAsync(Cancel)) found.Add(rows.GetString(0));
        return found;
    }
}
