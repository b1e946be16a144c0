
namespace Voting;

/// <summary>Reads from the shards where surveys were fenced off, and how far counting has come.</summary>
internal sealed class Fences(VotingDatabase database) : IFences
{
    /// <inheritdoc/>
    public async Task<long?> FindAsync(int survey, int partition, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var query = shard.Source.CreateCommand(
            $"""SELECT "offset" FROM {shard.Schema}.fences WHERE survey = $1 AND partition = $2""");
        query.Parameters.Add(new() { Value = survey });
        query.Parameters.Add(new() { Value = partition });
        return await query.ExecuteScalarAsync(cancel) as long?;
    }

    /// <inheritdoc/>
    public async Task<long> NextOffsetAsync(int partition, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var query = shard.Source.CreateCommand(
            $"SELECT next_offset FROM {shard.Schema}.positions WHERE partition = $1");
        query.Parameters.Add(new() { Value = partition });
        return (long)(await query.ExecuteScalarAsync(cancel))!;
    }

    /// <returns>The survey's fences by partition, of all shards.</returns>
    public async Task<Dictionary<int, long>> AllAsync(int survey, CancellationToken cancel)
    {
        var found = new Dictionary<int, long>();
        foreach (var shard in database.Shards)
        {
            await using var query = shard.Source.CreateCommand(
                $"""SELECT partition, "offset" FROM {shard.Schema}.fences WHERE survey = $1""");
            query.Parameters.Add(new() { Value = survey });
            await using var rows = await query.ExecuteReaderAsync(cancel);
            while (await rows.ReadAsync(cancel)) found[rows.GetInt32(0)] = rows.GetInt64(1);
        }

        return found;
    }
}
