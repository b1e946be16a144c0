using System.Collections.Concurrent;
using Npgsql;
using Platform;

namespace Voting;

/// <summary>
/// Looks votes up in the shards by voter: many lookups in one round trip. Safe for use by many threads.
/// </summary>
internal sealed class KnownVotes(VotingDatabase database) : IKnownVotes
{
    private const int LookupBatchMax = 500;
    private const int LookupsWaitingMax = 20_000;

    // By database, not by shard: shards that share one share the round trip.
    private readonly ConcurrentDictionary<NpgsqlDataSource, BatchedCalls<Lookup, Reservation?>> _databases = new();

    /// <inheritdoc/>
    public Task<Reservation?> FindAsync(int partition, int survey, Key16 voterKey)
    {
        var shard = database.OfPartition(partition);
        var calls = _databases.GetOrAdd(shard.Source, source => new(
            wanted => ReadAsync(source, wanted), LookupBatchMax, LookupsWaitingMax));
        return calls.CallAsync(new(shard, survey, voterKey));
    }

    private static async Task<Reservation?[]> ReadAsync(NpgsqlDataSource source, IReadOnlyList<Lookup> wanted)
    {
        await using var batch = source.CreateBatch();
        foreach (var ofShard in wanted.Index().GroupBy(lookup => lookup.Item.Shard))
        {
            var query = new NpgsqlBatchCommand($"""
                SELECT voter.place, ballot.vote_id, ballot.accepted_at, ballot.entry, ballot.receipt, ballot.idempotency
                FROM unnest($1, $2, $3) AS voter (place, survey, voter_key)
                JOIN {ofShard.Key.Schema}.ballots AS ballot USING (survey, voter_key)
                """);
            query.Parameters.Add(new() { Value = ofShard.Select(lookup => lookup.Index).ToArray() });
            query.Parameters.Add(new() { Value = ofShard.Select(lookup => lookup.Item.Survey).ToArray() });
            query.Parameters.Add(new() { Value = ofShard.Select(lookup => lookup.Item.VoterKey.ToBytes()).ToArray() });
            batch.BatchCommands.Add(query);
        }

        var found = new Reservation?[wanted.Count];
        await using var rows = await batch.ExecuteReaderAsync();
        do
        {
            while (await rows.ReadAsync())
            {
                var place = rows.GetInt32(0);
                found[place] = new(
                    wanted[place].Survey, wanted[place].VoterKey, Key16.Of(rows.GetFieldValue<byte[]>(1)),
                    rows.GetFieldValue<DateTimeOffset>(2), rows.GetFieldValue<byte[]>(3), rows.GetFieldValue<byte[]>(4),
                    rows.IsDBNull(5) ? null : Key16.Of(rows.GetFieldValue<byte[]>(5)));
            }
        }
        while (await rows.NextResultAsync());

        return found;
    }

    private sealed record Lookup(ModuleShard Shard, int Survey, Key16 VoterKey);
}
