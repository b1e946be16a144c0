using System.Text.Json;
using Npgsql;

namespace Audit;

/// <summary>
/// Where logs stand, in the database. Every write names the version that it comes after: of two writers of one log one
/// is told that the other was there.
/// </summary>
internal sealed class HeadTable(AuditDatabase database)
{
    /// <summary>Where a log stands; it begins with the first call.</summary>
    /// <exception cref="InvalidOperationException">The row is damaged.</exception>
    public async Task<LogHead> LoadAsync(string log, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            WITH begun AS (
                INSERT INTO audit.heads (log, root, last_hash, frontier) VALUES ($1, $2, $3, $4)
                ON CONFLICT DO NOTHING
                RETURNING *)
            SELECT version, checkpoint, root, last_hash, frontier, offsets::text, document, intent::text, published
            FROM (SELECT * FROM begun UNION ALL SELECT * FROM audit.heads WHERE log = $1) AS head
            """);
        query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = log });
        query.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = TreeHash.Empty.ToArray() });
        query.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = default(Digest).ToArray() });
        query.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = new TreeFrontier().ToArray() });
        await using var row = await query.ExecuteReaderAsync(cancel);
        // None is seen when somebody else began the log while this was being asked.
        return await row.ReadAsync(cancel) ? Read(log, row) : throw new TimeoutException($"Log {log} is being begun.");
    }

    /// <summary>Says what the next checkpoint will hold.</summary>
    /// <returns>Null when somebody else wrote to the head.</returns>
    public async Task<LogHead?> IntendAsync(LogHead head, SealIntent intent, CancellationToken cancel)
    {
        await using var intend = database.Control.CreateCommand("""
            UPDATE audit.heads SET intent = $3::jsonb, version = version + 1
            WHERE log = $1 AND version = $2 AND intent IS NULL
            """);
        intend.Parameters.Add(new NpgsqlParameter<string> { TypedValue = head.Log });
        intend.Parameters.Add(new NpgsqlParameter<long> { TypedValue = head.Version });
        intend.Parameters.Add(new NpgsqlParameter<string> { TypedValue = intent.ToJson() });
        return await intend.ExecuteNonQueryAsync(cancel) == 1
            ? head with { Version = head.Version + 1, Intent = intent }
            : null;
    }

    /// <summary>Moves the head on to a checkpoint, with what it brings to the other tables.</summary>
    /// <param name="head">The one before.</param>
    /// <param name="document">The checkpoint.</param>
    /// <param name="growth">Its entries.</param>
    /// <param name="sizeBytes">Of its segment.</param>
    /// <param name="isPublished">Whether the archive holds it already.</param>
    /// <param name="cancel">Ends the wait: it may be done or not.</param>
    /// <returns>Null when somebody else wrote to the head: nothing was done.</returns>
    public async Task<LogHead?> AdvanceAsync(
        LogHead head, CheckpointDocument document, LogGrowth growth, long sizeBytes, bool isPublished,
        CancellationToken cancel)
    {
        var said = document.Statement;
        var next = new LogHead(
            head.Log, head.Version + 1, said.Number, growth.Frontier, said.LastHash, said.Offsets, document, null,
            isPublished ? said.Number : head.Published);
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        if (!await MoveAsync(transaction, head, next, isPublished, cancel)) return null;
        await AddSegmentAsync(transaction, said, growth, sizeBytes, cancel);
        await AddRangesAsync(transaction, said, growth, cancel);
        await TileTable.GrowAsync(transaction, head.Log, [.. growth.Tiles()], cancel);
        await transaction.CommitAsync(cancel);
        return next;
    }

    /// <summary>Remembers that the archive holds the head's checkpoint. A repeat changes nothing.</summary>
    public async Task<LogHead> PublishAsync(LogHead head, CancellationToken cancel)
    {
        await using var publish = database.Control.CreateCommand("""
            UPDATE audit.heads SET published = $2, note = $3
            WHERE log = $1 AND published < $2 AND checkpoint >= $2
            """);
        publish.Parameters.Add(new NpgsqlParameter<string> { TypedValue = head.Log });
        publish.Parameters.Add(new NpgsqlParameter<long> { TypedValue = head.Checkpoint });
        publish.Parameters.Add(
            new NpgsqlParameter<string> { TypedValue = head.Document!.Statement.Note.ToString() });
        await publish.ExecuteNonQueryAsync(cancel);
        return head with { Published = head.Checkpoint };
    }

    private static async Task<bool> MoveAsync(
        NpgsqlTransaction transaction, LogHead head, LogHead next, bool isPublished, CancellationToken cancel)
    {
        var said = next.Document!.Statement;
        await using var move = new NpgsqlCommand("""
            UPDATE audit.heads
               SET version = version + 1, checkpoint = $3, size = $4, root = $5, last_hash = $6, frontier = $7,
                   offsets = $8::jsonb, sealed_at = $9, document = $10, checkpoint_digest = $11, intent = NULL,
                   published = CASE WHEN $12 THEN $3 ELSE published END, note = CASE WHEN $12 THEN $13 ELSE note END
             WHERE log = $1 AND version = $2
            """, transaction.Connection, transaction);
        move.Parameters.Add(new NpgsqlParameter<string> { TypedValue = head.Log });
        move.Parameters.Add(new NpgsqlParameter<long> { TypedValue = head.Version });
        move.Parameters.Add(new NpgsqlParameter<long> { TypedValue = said.Number });
        move.Parameters.Add(new NpgsqlParameter<long> { TypedValue = said.Size });
        move.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = said.Root.ToArray() });
        move.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = said.LastHash.ToArray() });
        move.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = next.Frontier.ToArray() });
        var offsets = new Dictionary<string, long>(said.Offsets);
        move.Parameters.Add(new NpgsqlParameter<string>
        {
            TypedValue = JsonSerializer.Serialize(offsets, SealingJson.Default.DictionaryStringInt64),
        });
        move.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = said.Time });
        move.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = next.Document.Bytes.ToArray() });
        move.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = next.Document.Digest.ToArray() });
        move.Parameters.Add(new NpgsqlParameter<bool> { TypedValue = isPublished });
        move.Parameters.Add(new NpgsqlParameter<string> { TypedValue = said.Note.ToString() });
        return await move.ExecuteNonQueryAsync(cancel) == 1;
    }

    private static async Task AddSegmentAsync(
        NpgsqlTransaction transaction, CheckpointStatement said, LogGrowth growth, long sizeBytes,
        CancellationToken cancel)
    {
        await using var add = new NpgsqlCommand("""
            INSERT INTO audit.segments
                (log, checkpoint, first_index, entries, object_key, version_id, digest, size_bytes, note, sealed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """, transaction.Connection, transaction);
        add.Parameters.Add(new NpgsqlParameter<string> { TypedValue = said.Log });
        add.Parameters.Add(new NpgsqlParameter<long> { TypedValue = said.Number });
        add.Parameters.Add(new NpgsqlParameter<long> { TypedValue = growth.FirstIndex });
        add.Parameters.Add(new NpgsqlParameter<int> { TypedValue = growth.Count });
        add.Parameters.Add(new NpgsqlParameter<string> { TypedValue = said.Segment.Key });
        add.Parameters.Add(new NpgsqlParameter<string> { TypedValue = said.Segment.VersionId });
        add.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = said.Segment.Digest.ToArray() });
        add.Parameters.Add(new NpgsqlParameter<long> { TypedValue = sizeBytes });
        add.Parameters.Add(new NpgsqlParameter<string> { TypedValue = said.Note.ToString() });
        add.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = said.Time });
        await add.ExecuteNonQueryAsync(cancel);
    }

    private static async Task AddRangesAsync(
        NpgsqlTransaction transaction, CheckpointStatement said, LogGrowth growth, CancellationToken cancel)
    {
        await using var add = new NpgsqlCommand("""
            INSERT INTO audit.ranges (log, checkpoint, source, first_offset, next_offset, first_index, entries)
            SELECT $1, $2, * FROM unnest($3, $4, $5, $6, $7)
            """, transaction.Connection, transaction);
        add.Parameters.Add(new NpgsqlParameter<string> { TypedValue = said.Log });
        add.Parameters.Add(new NpgsqlParameter<long> { TypedValue = said.Number });
        add.Parameters.Add(new() { Value = growth.Ranges.Select(grown => grown.Range.Source).ToArray() });
        add.Parameters.Add(new() { Value = growth.Ranges.Select(grown => grown.Range.From).ToArray() });
        add.Parameters.Add(new() { Value = growth.Ranges.Select(grown => grown.Range.To).ToArray() });
        add.Parameters.Add(new() { Value = growth.Ranges.Select(grown => grown.FirstIndex).ToArray() });
        add.Parameters.Add(new() { Value = growth.Ranges.Select(grown => grown.Count).ToArray() });
        await add.ExecuteNonQueryAsync(cancel);
    }

    private static LogHead Read(string log, NpgsqlDataReader row)
    {
        var offsets = JsonSerializer.Deserialize(row.GetString(5), SealingJson.Default.DictionaryStringInt64);
        CheckpointDocument? document = null;
        if (!TreeFrontier.TryParse(row.GetFieldValue<byte[]>(4), out var frontier)
            || frontier.Root != new Digest(row.GetFieldValue<byte[]>(2))
            || (!row.IsDBNull(6) && !CheckpointDocument.TryParse(row.GetFieldValue<byte[]>(6), out document))
            || (document is not null && document.Statement.Root != frontier.Root))
        {
            throw new InvalidOperationException($"The head of log {log} is damaged: restore the database.");
        }

        var head = new LogHead(
            log, row.GetInt64(0), row.GetInt64(1), frontier, new(row.GetFieldValue<byte[]>(3)), offsets!, document,
            row.IsDBNull(7) ? null : SealIntent.Parse(row.GetString(7)), row.GetInt64(8));
        // What is about to be sealed continues the head, or records would be left out or sealed twice.
        if (head.Intent is { } intent && (intent.Number != head.Checkpoint + 1
            || intent.Ranges.Any(range => range.From != head.OffsetOf(range.Source) || range.To <= range.From)))
        {
            throw new InvalidOperationException($"The head of log {log} is damaged: restore the database.");
        }

        return head;
    }
}
