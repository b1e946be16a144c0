using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace Platform;

/// <summary>
/// Events of changes in PostgreSQL: written beside the change, in its transaction, and brought to the topic
/// <c>domain-events</c> by the relay of role <c>consumer</c>.
/// </summary>
/// <remarks>
/// At least once: a record may stand in the log twice, with the same id and bytes; readers drop ids they know. Events
/// of an aggregate stand in the order of their writing, as long as whoever writes one holds the aggregate's row.
/// </remarks>
public static class Outbox
{
    /// <summary>Where events come to stand. Nothing in it is deleted by age.</summary>
    public static Topic Topic { get; } = new("domain-events", 4);

    /// <summary>Writes an event into the outbox of a module's schema: it happens if the transaction commits.</summary>
    /// <param name="transaction">Holds the aggregate's row, if others could write of it at the same time.</param>
    /// <param name="schema">The schema, in which the module has a table <c>outbox</c>. Not to be made of input.</param>
    /// <param name="written">The event.</param>
    /// <param name="cancel">Ends the wait; the transaction is of no more use then.</param>
    public static async Task WriteEventAsync(
        this NpgsqlTransaction transaction, string schema, OutboxEvent written, CancellationToken cancel)
    {
        await using var insert = new NpgsqlCommand(
            $"INSERT INTO {schema}.outbox (aggregate, event, traceparent, tracestate) VALUES ($1, $2, $3, $4)",
            transaction.Connection, transaction);
        Add(insert, written);
        await insert.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>The same in a shard.</summary>
    /// <exception cref="InvalidSettingsException">The shard is at another epoch; nothing was written.</exception>
    public static async Task WriteEventAsync(
        this NpgsqlTransaction transaction, ModuleShard shard, OutboxEvent written, CancellationToken cancel)
    {
        await using var insert = new NpgsqlCommand($"""
            INSERT INTO {shard.Schema}.outbox (aggregate, event, traceparent, tracestate)
            SELECT $1, $2, $3, $4 FROM {shard.Schema}.shard WHERE epoch = $5
            """, transaction.Connection, transaction);
        Add(insert, written);
        insert.Parameters.Add(new NpgsqlParameter<int> { TypedValue = shard.Entry.Epoch });
        if (await insert.ExecuteNonQueryAsync(cancel) != 1)
            throw new InvalidSettingsException($"{shard.Schema} is not at the epoch that Shards__Map says.");
    }

    /// <returns>The aggregate's partition: the same for good, whatever client library appends.</returns>
    public static int PartitionOf(string aggregate, int partitions)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(aggregate), digest);
        return (int)(BinaryPrimitives.ReadUInt32BigEndian(digest) % (uint)partitions);
    }

    private static void Add(NpgsqlCommand insert, OutboxEvent written)
    {
        insert.Parameters.Add(new NpgsqlParameter<string> { TypedValue = written.Aggregate });
        insert.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = written.Bytes });
        insert.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = written.TraceParent });
        insert.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = written.TraceState });
    }
}
