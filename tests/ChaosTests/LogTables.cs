using System.Buffers.Binary;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace ChaosTests;

/// <summary>A record of the event log as its tables hold it.</summary>
internal sealed record LoggedRecord(
    int Partition, long Offset, byte[] Key, byte[] Value, IReadOnlyList<(string Name, byte[] Value)> Headers);

/// <summary>
/// Reads and writes the event log's tables with a codec of the tests' own: what the product believes of its log is not
/// asked.
/// </summary>
internal static class LogTables
{
    public static async Task<List<LoggedRecord>> ReadAsync(NpgsqlDataSource database, string topic)
    {
        await using var query = database.CreateCommand("""
            SELECT partition, first_offset, record_count, payload FROM platform.log_batches
            WHERE topic = $1 ORDER BY partition, first_offset
            """);
        query.Parameters.Add(new() { Value = topic });
        var records = new List<LoggedRecord>();
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            var (partition, first, count) = (rows.GetInt32(0), rows.GetInt64(1), rows.GetInt32(2));
            var payload = new Payload(rows.GetFieldValue<byte[]>(3));
            for (var i = 0; i < count; i++) records.Add(payload.Next(partition, first + i));
            Assert.True(payload.IsAtEnd, $"{topic}-{partition}: the batch at {first} holds more than it says.");
        }

        return records;
    }

    /// <summary>Appends a record as any process could that may write the tables.</summary>
    /// <returns>Its offset.</returns>
    public static async Task<long> AppendAsync(
        NpgsqlDataSource database, int partition, byte[] value, params (string Name, byte[] Value)[] headers)
    {
        var payload = new List<byte> { 1 };
        Write(payload, []);
        Write(payload, value);
        payload.Add((byte)headers.Length);
        foreach (var (name, header) in headers)
        {
            Write(payload, Encoding.UTF8.GetBytes(name));
            Write(payload, header);
        }

        await using var append = database.CreateCommand("""
            SELECT first_offset FROM platform.log_append(ARRAY['votes'], ARRAY[$1], ARRAY[1], ARRAY[$2])
            """);
        append.Parameters.Add(new() { Value = partition });
        append.Parameters.Add(new() { Value = payload.ToArray(), NpgsqlDbType = NpgsqlDbType.Bytea });
        return (long)(await append.ExecuteScalarAsync())!;
    }

    private static void Write(List<byte> payload, byte[] part)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        payload.AddRange(length);
        payload.AddRange(part);
    }

    private sealed class Payload
    {
        private readonly byte[] _bytes;
        private int _at = 1;

        public Payload(byte[] bytes)
        {
            Assert.Equal(1, bytes[0]);
            _bytes = bytes;
        }

        public bool IsAtEnd => _at == _bytes.Length;

        public LoggedRecord Next(int partition, long offset)
        {
            var (key, value) = (Part(), Part());
            var headers = new (string, byte[])[_bytes[_at++]];
            for (var i = 0; i < headers.Length; i++) headers[i] = (Encoding.UTF8.GetString(Part()), Part());
            return new(partition, offset, key, value, headers);
        }

        private byte[] Part()
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(_at));
            var part = _bytes.AsSpan(_at + 4, length).ToArray();
            _at += 4 + length;
            return part;
        }
    }
}
