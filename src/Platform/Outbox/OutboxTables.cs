using System.Text;
using Npgsql;

namespace Platform;

/// <summary>An event that waits for its relay.</summary>
internal sealed record WaitingEvent(
    long Number, string Aggregate, byte[] Bytes, string? TraceParent, string? TraceState)
{
    /// <returns>The record that it becomes.</returns>
    public LogRecord Record() => new(
        Encoding.UTF8.GetBytes(Aggregate), Bytes, TraceHeaders.Of(TraceParent, TraceState));
}

/// <summary>One table <c>outbox</c>.</summary>
/// <param name="Schema">Safe to put into SQL.</param>
/// <param name="Epoch">What the shard must say, for us to write there; null in the control database.</param>
internal sealed record OutboxTable(string Schema, int? Epoch)
{
    // Read and deleted like anything else in a shard: not by a process with an old map.
    private string IsOurs => Epoch is { } epoch
        ? $"EXISTS (SELECT FROM {Schema}.shard WHERE epoch = {epoch})"
        : "true";

    /// <returns>Whether this transaction is the only one that relays from the table.</returns>
    public async Task<bool> TryLockAsync(NpgsqlTransaction transaction, CancellationToken cancel)
    {
        await using var take = new NpgsqlCommand(
            $"SELECT pg_try_advisory_xact_lock('{Schema}.outbox'::regclass::int, 1)",
            transaction.Connection, transaction);
        return await take.ExecuteScalarAsync(cancel) is true;
    }

    /// <returns>The oldest, in the order of their writing.</returns>
    public async Task<List<WaitingEvent>> ReadAsync(
        NpgsqlTransaction transaction, int countMax, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            SELECT number, aggregate, event, traceparent, tracestate FROM {Schema}.outbox
            WHERE {IsOurs} ORDER BY number LIMIT $1
            """, transaction.Connection, transaction);
        query.Parameters.Add(new NpgsqlParameter<int> { TypedValue = countMax });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var waiting = new List<WaitingEvent>();
        while (await rows.ReadAsync(cancel))
        {
            waiting.Add(new(
                rows.GetInt64(0), rows.GetString(1), rows.GetFieldValue<byte[]>(2),
                rows.IsDBNull(3) ? null : rows.GetString(3), rows.IsDBNull(4) ? null : rows.GetString(4)));
        }

        return waiting;
    }

    /// <summary>Deletes what the log has.</summary>
    public async Task DeleteAsync(NpgsqlTransaction transaction, long[] numbers, CancellationToken cancel)
    {
        await using var delete = new NpgsqlCommand(
            $"DELETE FROM {Schema}.outbox WHERE number = ANY ($1) AND {IsOurs}", transaction.Connection, transaction);
        delete.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = numbers });
        await delete.ExecuteNonQueryAsync(cancel);
    }
}

/// <summary>The outboxes that one module has in one database: looked at by one statement.</summary>
internal sealed class OutboxTables(NpgsqlDataSource source, IReadOnlyList<OutboxTable> tables)
{
    // What waits beyond that is not counted: the figure is far from normal already.
    private const int CountMax = 100_000;

    private readonly string _filled = string.Join(" UNION ALL ", tables.Select((table, index) =>
        $"SELECT {index} WHERE EXISTS (SELECT FROM {table.Schema}.outbox)"));

    private readonly string _measured = string.Join(" UNION ALL ", tables.Select((table, index) => $"""
        SELECT {index}, (SELECT count(*) FROM (SELECT FROM {table.Schema}.outbox LIMIT {CountMax}) AS counted),
            coalesce(extract(epoch FROM clock_timestamp() - (
                SELECT written_at FROM {table.Schema}.outbox ORDER BY number LIMIT 1)), 0)::float8
        """));

    public NpgsqlDataSource Source => source;

    public IReadOnlyList<OutboxTable> All => tables;

    /// <returns>Those in which something waits.</returns>
    public async Task<List<OutboxTable>> FilledAsync(CancellationToken cancel)
    {
        await using var query = source.CreateCommand(_filled);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var filled = new List<OutboxTable>();
        while (await rows.ReadAsync(cancel)) filled.Add(tables[rows.GetInt32(0)]);
        return filled;
    }

    /// <returns>Of each, how many events wait, and for how many seconds the oldest does.</returns>
    public async Task<List<(OutboxTable Table, OutboxLag Lag)>> MeasureAsync(CancellationToken cancel)
    {
        await using var query = source.CreateCommand(_measured);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var measured = new List<(OutboxTable, OutboxLag)>();
        while (await rows.ReadAsync(cancel))
            measured.Add((tables[rows.GetInt32(0)], new(rows.GetInt64(1), rows.GetDouble(2))));
        return measured;
    }

    /// <returns>A module's outboxes by the database that they lie in.</returns>
    public static IEnumerable<OutboxTables> Of(ModuleOutboxes module)
    {
        var database = module.Database;
        var places = new List<(NpgsqlDataSource Source, OutboxTable Table)>();
        if (module.Places.HasFlag(OutboxPlaces.Control))
            places.Add((database.Control, new(database.ControlSchema, null)));
        if (module.Places.HasFlag(OutboxPlaces.Shards))
            places.AddRange(database.Shards.Select(shard => (shard.Source, new OutboxTable(
                shard.Schema, shard.Entry.Epoch))));
        return places.GroupBy(place => place.Source, place => place.Table)
            .Select(database => new OutboxTables(database.Key, [.. database]));
    }
}
