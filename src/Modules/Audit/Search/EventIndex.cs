using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Audit;

/// <summary>A sealed segment that the index does not have yet.</summary>
/// <param name="Log">Its log.</param>
/// <param name="Checkpoint">Its checkpoint's number.</param>
/// <param name="Object">Which version of which object it is, and its digest.</param>
/// <param name="SealedAt">When.</param>
/// <param name="OutcomeOffset">The highest offset of a vote whose outcome the segments before it have.</param>
internal sealed record UnindexedSegment(
    string Log, long Checkpoint, SegmentReference Object, DateTimeOffset SealedAt, long OutcomeOffset);

/// <summary>The index's tables as its loop writes them.</summary>
internal sealed class EventIndex(AuditDatabase database)
{
    // Of whoever makes the tables of months: only one at a time.
    private const long MonthsLockKey = 7231410;

    // A process that is gone keeps its logs from others for so long.
    private static readonly TimeSpan ClaimLifetime = TimeSpan.FromSeconds(10);

    private readonly HashSet<DateTimeOffset> _months = [];
    private readonly Lock _monthsLock = new();

    /// <summary>Claims the next segment of every log that has one and that no other process works on.</summary>
    /// <param name="claimant">Names this process.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>The segments, and how many wait in all logs together.</returns>
    public async Task<(List<UnindexedSegment> Claimed, long Waiting)> ClaimAsync(
        string claimant, CancellationToken cancel)
    {
        // What the archive is not known to hold yet is not looked for: published, not sealed.
        await using var query = database.Control.CreateCommand("""
            WITH waiting AS (
                SELECT h.log, h.published, coalesce(i.checkpoint, 0) AS checkpoint,
                    coalesce(i.outcome_offset, -1) AS outcome_offset
                FROM audit.heads h LEFT JOIN audit.indexed i USING (log)
                WHERE h.log <> $3 AND h.published > coalesce(i.checkpoint, 0)),
            claimed AS (
                INSERT INTO audit.indexed (log, claimant, claimed_until)
                SELECT log, $1, now() + $2 FROM waiting ORDER BY log
                ON CONFLICT (log) DO UPDATE SET claimant = $1, claimed_until = now() + $2
                WHERE indexed.claimant IS NULL OR indexed.claimant = $1 OR indexed.claimed_until < now()
                RETURNING log)
            SELECT w.log, s.checkpoint, s.object_key, s.version_id, s.digest, s.sealed_at, w.outcome_offset,
                (SELECT sum(published - checkpoint) FROM waiting)::bigint
            FROM waiting w JOIN claimed c USING (log)
            JOIN audit.segments s ON s.log = w.log AND s.checkpoint = w.checkpoint + 1
            """);
        query.Parameters.Add(new() { Value = claimant });
        query.Parameters.Add(new() { Value = ClaimLifetime });
        query.Parameters.Add(new() { Value = SealedLogs.CheckpointsName });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var (claimed, waiting) = (new List<UnindexedSegment>(), 0L);
        while (await rows.ReadAsync(cancel))
        {
            var reference = new SegmentReference(
                rows.GetString(2), rows.GetString(3), new(rows.GetFieldValue<byte[]>(4)));
            claimed.Add(new(
                rows.GetString(0), rows.GetInt64(1), reference, rows.GetFieldValue<DateTimeOffset>(5),
                rows.GetInt64(6)));
            waiting = rows.GetInt64(7);
        }

        return (claimed, waiting);
    }

    /// <summary>Adds a segment's events, in one transaction with the log's position.</summary>
    /// <returns>False when it had been added already: nothing was changed.</returns>
    public async Task<bool> AddAsync(UnindexedSegment segment, SegmentFacts facts, CancellationToken cancel)
    {
        foreach (var month in facts.Events.Select(one => MonthOf(one.Time)).Distinct())
            await EnsureMonthAsync(month, cancel);

        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using var move = new NpgsqlCommand("""
            UPDATE audit.indexed SET checkpoint = $2, outcome_offset = $3 WHERE log = $1 AND checkpoint = $2 - 1
            """, connection, transaction);
        move.Parameters.Add(new() { Value = segment.Log });
        move.Parameters.Add(new() { Value = segment.Checkpoint });
        move.Parameters.Add(new() { Value = facts.OutcomeOffset });
        if (await move.ExecuteNonQueryAsync(cancel) != 1) return false;

        try
        {
            await CopyAsync(connection, facts.Events, cancel);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.CheckViolation)
        {
            // A month's table was detached since it was last looked for: the next try makes one.
            lock (_monthsLock)
            {
                _months.Clear();
            }

            throw;
        }

        await CountAsync(connection, transaction, segment.Log, facts.Counts, cancel);
        foreach (var end in facts.Finals) await RememberAsync(connection, transaction, end, cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return true;
    }

    private static async Task CopyAsync(
        NpgsqlConnection connection, IReadOnlyList<ArchivedEvent> events, CancellationToken cancel)
    {
        await using var copy = await connection.BeginBinaryImportAsync("""
            COPY audit.events
                (time, log, index, type, survey, vote, voter_key, actor, topic, partition, "offset", entry)
            FROM STDIN (FORMAT binary)
            """, cancel);
        foreach (var one in events)
        {
            await copy.StartRowAsync(cancel);
            await copy.WriteAsync(one.Time.UtcDateTime, NpgsqlDbType.TimestampTz, cancel);
            await copy.WriteAsync(one.Log, NpgsqlDbType.Text, cancel);
            await copy.WriteAsync(one.Index, NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(one.Type, NpgsqlDbType.Text, cancel);
            if (one.Survey is { } survey) await copy.WriteAsync(survey, NpgsqlDbType.Integer, cancel);
            else await copy.WriteNullAsync(cancel);
            if (one.Vote is { } vote) await copy.WriteAsync(vote, NpgsqlDbType.Bytea, cancel);
            else await copy.WriteNullAsync(cancel);
            if (one.VoterKey is { } voter) await copy.WriteAsync(voter, NpgsqlDbType.Bytea, cancel);
            else await copy.WriteNullAsync(cancel);
            if (one.Actor is { } actor) await copy.WriteAsync(actor, NpgsqlDbType.Text, cancel);
            else await copy.WriteNullAsync(cancel);
            await copy.WriteAsync(one.Topic, NpgsqlDbType.Text, cancel);
            await copy.WriteAsync(one.Partition, NpgsqlDbType.Integer, cancel);
            await copy.WriteAsync(one.Offset, NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(one.Entry.ToArray(), NpgsqlDbType.Bytea, cancel);
        }

        await copy.CompleteAsync(cancel);
    }

    private static async Task CountAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string log,
        IReadOnlyDictionary<int, SurveyCount> counts, CancellationToken cancel)
    {
        if (counts.Count == 0) return;
        await using var add = new NpgsqlCommand("""
            INSERT INTO audit.survey_counts AS c (survey, log, submitted, counted, held, rejected, repeated)
            SELECT survey, $1, submitted, counted, held, rejected, repeated
            FROM unnest($2, $3, $4, $5, $6, $7) AS u (survey, submitted, counted, held, rejected, repeated)
            ON CONFLICT (survey, log) DO UPDATE SET submitted = c.submitted + excluded.submitted,
                counted = c.counted + excluded.counted, held = c.held + excluded.held,
                rejected = c.rejected + excluded.rejected, repeated = c.repeated + excluded.repeated
            """, connection, transaction);
        var ordered = counts.OrderBy(count => count.Key).ToArray();
        add.Parameters.Add(new() { Value = log });
        add.Parameters.Add(new() { Value = ordered.Select(count => count.Key).ToArray() });
        add.Parameters.Add(new() { Value = ordered.Select(count => count.Value.Submitted).ToArray() });
        add.Parameters.Add(new() { Value = ordered.Select(count => count.Value.Counted).ToArray() });
        add.Parameters.Add(new() { Value = ordered.Select(count => count.Value.Held).ToArray() });
        add.Parameters.Add(new() { Value = ordered.Select(count => count.Value.Rejected).ToArray() });
        add.Parameters.Add(new() { Value = ordered.Select(count => count.Value.Repeated).ToArray() });
        await add.ExecuteNonQueryAsync(cancel);
    }

    // An outbox may send an event twice: the first one is it.
    private static async Task RememberAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, FinalSurvey end, CancellationToken cancel)
    {
        await using var insert = new NpgsqlCommand("""
            INSERT INTO audit.results (survey, log, index, entry, event) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (survey) DO NOTHING
            """, connection, transaction);
        insert.Parameters.Add(new() { Value = end.Survey });
        insert.Parameters.Add(new() { Value = end.Log });
        insert.Parameters.Add(new() { Value = end.Index });
        insert.Parameters.Add(new() { Value = end.Entry.ToArray() });
        insert.Parameters.Add(new() { Value = end.Event });
        await insert.ExecuteNonQueryAsync(cancel);
    }

    private static DateTimeOffset MonthOf(DateTimeOffset time) =>
        new(time.UtcDateTime.Year, time.UtcDateTime.Month, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Makes the table of a month unless it is there.</summary>
    private async Task EnsureMonthAsync(DateTimeOffset month, CancellationToken cancel)
    {
        lock (_monthsLock)
        {
            if (_months.Contains(month)) return;
        }

        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using (var alone = new NpgsqlCommand("SELECT pg_advisory_xact_lock($1)", connection, transaction))
        {
            alone.Parameters.Add(new() { Value = MonthsLockKey });
            await alone.ExecuteNonQueryAsync(cancel);
        }

        if (await FreeNameAsync(connection, transaction, month, cancel) is { } table)
        {
            // Attached and not made as a part: whoever searches meanwhile is not kept waiting.
            await using var make = new NpgsqlCommand(
                $"""
                CREATE TABLE audit.{table} (LIKE audit.events INCLUDING CONSTRAINTS);
                ALTER TABLE audit.events ATTACH PARTITION audit.{table}
                    FOR VALUES FROM ('{month:yyyy-MM-dd}+00') TO ('{month.AddMonths(1):yyyy-MM-dd}+00')
                """,
                connection, transaction);
            await make.ExecuteNonQueryAsync(cancel);
        }

        await transaction.CommitAsync(CancellationToken.None);
        lock (_monthsLock)
        {
            _months.Add(month);
        }
    }

    /// <summary>A month's table that was detached keeps its name: when the index is made anew, it is another.</summary>
    /// <returns>What the month's table may be called; null when the month has one.</returns>
    private static async Task<string?> FreeNameAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset month, CancellationToken cancel)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"events_{month:yyyy_MM}");
        await using var query = new NpgsqlCommand("""
            SELECT c.relname::text, i.inhparent IS NOT NULL
            FROM pg_class c
            LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'audit.events'::regclass
            WHERE c.relnamespace = 'audit'::regnamespace AND starts_with(c.relname::text, $1)
            """, connection, transaction);
        query.Parameters.Add(new() { Value = name });
        var taken = new HashSet<string>(StringComparer.Ordinal);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel))
        {
            if (rows.GetBoolean(1)) return null;
            taken.Add(rows.GetString(0));
        }

        for (var i = 1; ; i++)
        {
            var free = i == 1 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}_{i}");
            if (!taken.Contains(free)) return free;
        }
    }
}
