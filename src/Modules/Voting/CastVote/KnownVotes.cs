using System.Collections.Concurrent;
using Npgsql;

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
        var calls = _databases.GetOrAdd(shard.Source, source =>
        {
            var statement = Statement(source);
            return new(wanted => ReadAsync(source, statement, wanted), LookupBatchMax, LookupsWaitingMax);
        });
        return calls.CallAsync(new(shard.Entry.Number, survey, voterKey));
    }

    /// <summary>
    /// One statement for all shards of a database, so that it is prepared once and a batch is one call, wherever its
    /// voters are; a branch that no voter of the batch is in costs the server a comparison.
    /// </summary>
    private string Statement(NpgsqlDataSource source) => $"""
        SELECT voter.place, ballot.vote_id, ballot.accepted_at, ballot.entry, ballot.receipt, ballot.idempotency
        FROM unnest($1, $2, $3, $4) AS voter (place, shard, survey, voter_key)
        CROSS JOIN LATERAL ({string.Join(" UNION ALL ", database.Shards.Where(shard => shard.Source == source)
            .Select(shard => $"""
                SELECT vote_id, accepted_at, entry, receipt, idempotency FROM {shard.Schema}.ballots
                WHERE voter.shard = {shard.Entry.Number}
                    AND survey = voter.survey AND voter_key = voter.voter_key
                """))}) AS ballot
        """;

    private static async Task<Reservation?[]> ReadAsync(
        NpgsqlDataSource source, string statement, IReadOnlyList<Lookup> wanted)
    {
        await using var query = source.CreateCommand(statement);
        query.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = [.. Enumerable.Range(0, wanted.Count)] });
        query.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = [.. wanted.Select(lookup => lookup.Shard)] });
        query.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = [.. wanted.Select(lookup => lookup.Survey)] });
        query.Parameters.Add(new NpgsqlParameter<byte[][]>
        {
            TypedValue = [.. wanted.Select(lookup => lookup.VoterKey.ToBytes())],
        });

        var found = new Reservation?[wanted.Count];
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            var place = rows.GetInt32(0);
            found[place] = new(
                wanted[place].Survey, wanted[place].VoterKey, Key16.Of(rows.GetFieldValue<byte[]>(1)),
                rows.GetFieldValue<DateTimeOffset>(2), rows.GetFieldValue<byte[]>(3), rows.GetFieldValue<byte[]>(4),
                rows.IsDBNull(5) ? null : Key16.Of(rows.GetFieldValue<byte[]>(5)));
        }

        return found;
    }

    private readonly record struct Lookup(int Shard, int Survey, Key16 VoterKey);
}
