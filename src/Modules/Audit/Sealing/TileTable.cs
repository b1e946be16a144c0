using Npgsql;

namespace Audit;

/// <summary>The trees of all logs, as tiles. What was read stays right as long as it is asked for by width.</summary>
internal sealed class TileTable(AuditDatabase database)
{
    /// <returns>A way to read tiles of one log, as proofs take it. Level 0 is made of the entries.</returns>
    public TileReader Of(string log) => (tiles, cancel) => ReadAsync(log, tiles, cancel);

    /// <summary>Reads tiles, or entries (<see cref="TileId.EntriesLevel"/>), all by one query.</summary>
    /// <returns>
    /// In the same order the hashes of each, 32 bytes each: as many as were asked for, fewer if there are not so many,
    /// none of a tile that is not there.
    /// </returns>
    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadAsync(
        string log, IReadOnlyList<TileId> tiles, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT place, substr(tile.hashes, 1, width * 32)
            FROM unnest($2, $3, $4) WITH ORDINALITY AS asked (level, index, width, place)
            JOIN audit.tiles AS tile ON tile.log = $1 AND tile.level = asked.level AND tile.index = asked.index
            """);
        query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = log });
        query.Parameters.Add(new() { Value = tiles.Select(tile => (short)StoredLevel(tile)).ToArray() });
        query.Parameters.Add(new() { Value = tiles.Select(tile => tile.Index).ToArray() });
        query.Parameters.Add(new() { Value = tiles.Select(tile => tile.Width).ToArray() });
        var read = new ReadOnlyMemory<byte>[tiles.Count];
        await using var rows = await query.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel))
        {
            var place = (int)rows.GetInt64(0) - 1;
            var hashes = rows.GetFieldValue<byte[]>(1);
            read[place] = tiles[place].Level == 0 ? Leaves(hashes) : hashes;
        }

        return read;
    }

    /// <summary>Adds to tiles what they gained, in the transaction that moves the head.</summary>
    /// <exception cref="InvalidOperationException">A tile does not have the hashes that come before.</exception>
    public static async Task GrowAsync(
        NpgsqlTransaction transaction, string log, IReadOnlyList<TilePart> parts, CancellationToken cancel)
    {
        var growing = parts.Where(part => part.From > 0).ToArray();
        await using var grow = Command("""
            UPDATE audit.tiles AS tile SET hashes = tile.hashes || part.hashes
            FROM unnest($2, $3, $4, $5) AS part (level, index, width, hashes)
            WHERE tile.log = $1 AND tile.level = part.level AND tile.index = part.index
                AND octet_length(tile.hashes) = part.width * 32
            """, transaction, log, growing);
        if (growing.Length > 0 && await grow.ExecuteNonQueryAsync(cancel) != growing.Length)
        {
            throw new InvalidOperationException(
                $"The tiles of log {log} are not those of its head: restore the database.");
        }

        await using var add = Command("""
            INSERT INTO audit.tiles (log, level, index, hashes)
            SELECT $1, level, index, hashes FROM unnest($2, $3, $4, $5) AS part (level, index, width, hashes)
            """, transaction, log, [.. parts.Where(part => part.From == 0)]);
        await add.ExecuteNonQueryAsync(cancel);
    }

    private static NpgsqlCommand Command(
        string sql, NpgsqlTransaction transaction, string log, IReadOnlyList<TilePart> parts)
    {
        var command = new NpgsqlCommand(sql, transaction.Connection, transaction);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = log });
        command.Parameters.Add(new() { Value = parts.Select(part => (short)part.Level).ToArray() });
        command.Parameters.Add(new() { Value = parts.Select(part => part.Index).ToArray() });
        command.Parameters.Add(new() { Value = parts.Select(part => part.From).ToArray() });
        command.Parameters.Add(new() { Value = parts.Select(part => part.Hashes).ToArray() });
        return command;
    }

    private static int StoredLevel(TileId tile) => tile.Level == 0 ? TileId.EntriesLevel : tile.Level;

    private static byte[] Leaves(byte[] entries)
    {
        var leaves = new byte[entries.Length];
        var to = leaves.AsSpan();
        foreach (ref readonly var entry in Digest.Sequence(entries))
        {
            TreeHash.Leaf(entry).Span.CopyTo(to);
            to = to[Digest.Bytes..];
        }

        return leaves;
    }
}
