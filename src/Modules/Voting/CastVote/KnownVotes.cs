using System.Collections.Concurrent;
using Platform;

namespace Voting;

/// <summary>Looks votes up in the shards by voter: many lookups in one query. Safe for use by many threads.</summary>
internal sealed class KnownVotes(VotingDatabase database)
{
    private const int LookupBatchMax = 500;
    private const int LookupsWaitingMax = 20_000;

    private readonly ConcurrentDictionary<int, BatchedCalls<(int Survey, Key16 VoterKey), Reservation?>> _shards = new();

    /// <returns>The voter's counted vote, or null.</returns>
    /// <exception cref="TooManyCallsException">Too many lookups wait.</exception>
    public Task<Reservation?> FindAsync(int partition, int survey, Key16 voterKey)
    {
        var shard = database.OfPartition(partition);
        var calls = _shards.GetOrAdd(shard.Entry.Number, _ => new(
            wanted => ReadAsync(shard, wanted), LookupBatchMax, LookupsWaitingMax));
        return calls.CallAsync((survey, voterKey));
    }

    private static async Task<Reservation?[]> ReadAsync(ModuleShard shard, IReadOnlyList<(int Survey, Key16 VoterKey)> wanted)
    {
        await using var query = shard.Source.CreateCommand($"""
            SELECT voter.place, ballot.vote_id, ballot.accepted_at, ballot.entry, ballot.receipt, ballot.idempotency
            FROM unnest($1, $2) WITH ORDINALITY AS voter (survey, voter_key, place)
            JOIN {shard.Schema}.ballots AS ballot USING (survey, voter_key)
            """);
        query.Parameters.Add(new() { Value = wanted.Select(one => one.Survey).ToArray() });
        query.Parameters.Add(new() { Value = wanted.Select(one => one.VoterKey.ToBytes()).ToArray() });
        var found = new Reservation?[wanted.Count];
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            var place = (int)rows.GetInt64(0) - 1;
            found[place] = new(
                wanted[place].Survey, wanted[place].VoterKey, Key16.Of(rows.GetFieldValue<byte[]>(1)),
                rows.GetFieldValue<DateTimeOffset>(2), rows.GetFieldValue<byte[]>(3), rows.GetFieldValue<byte[]>(4),
                rows.IsDBNull(5) ? null : Key16.Of(rows.GetFieldValue<byte[]>(5)));
        }

        return found;
    }
}
