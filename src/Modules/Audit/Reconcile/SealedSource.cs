namespace Audit;

/// <summary>A segment that is not what was sealed: nothing is taken from it.</summary>
internal sealed class DamagedSegmentException(string message) : Exception(message);

/// <summary>A segment that cannot be read before it is restored from cold storage.</summary>
internal sealed class ColdSegmentException(long checkpoint, ArchiveStoreException inner)
    : Exception(inner.Message, inner)
{
    /// <summary>The number of its checkpoint.</summary>
    public long Checkpoint => checkpoint;
}

/// <summary>A record as it was sealed.</summary>
/// <param name="Offset">In its source.</param>
/// <param name="Index">Of the entry in its log.</param>
/// <param name="Event">Its bytes.</param>
/// <param name="SealedAt">When its checkpoint was begun.</param>
internal readonly record struct SealedRecord(long Offset, long Index, byte[] Event, DateTimeOffset SealedAt);

/// <summary>
/// Reads one source of a log out of the archive, in the order of offsets, as far as it is published. Holds one segment.
/// Not thread safe.
/// </summary>
/// <param name="segments">Where they are; shared by the sources of the log.</param>
/// <param name="source">Which.</param>
/// <param name="next">The first offset that is wanted.</param>
internal sealed class SealedSource(SealedSegments segments, EntrySource source, long next)
{
    private IReadOnlyList<SealedRecord> _records = [];
    private int _at;
    private long _behind = next;

    /// <summary>The record that <see cref="TryPeekAsync"/> found.</summary>
    public SealedRecord Current => _records[_at];

    /// <summary>Where reading goes on: everything below was taken, or does not exist.</summary>
    public long Next => _at < _records.Count ? Current.Offset : _behind;

    /// <summary>Finds the next record.</summary>
    /// <returns>False when no more is published.</returns>
    /// <exception cref="DamagedSegmentException">The archive does not have what was sealed.</exception>
    public async ValueTask<bool> TryPeekAsync(CancellationToken cancel)
    {
        while (_at == _records.Count)
        {
            (_records, _at) = ([], 0);
            if (await segments.FindAsync(source.Name, _behind, cancel) is not { } found) return false;
            var wanted = _behind;
            var all = await segments.ReadAsync(found.Segment, source, cancel);
            (_records, _at, _behind) = ([.. all.Where(one => one.Offset >= wanted)], 0, found.To);
        }

        return true;
    }

    public void Advance() => _at++;
}

/// <summary>Finds and reads the segments of one log. Keeps the last two. Not thread safe.</summary>
internal sealed class SealedSegments(string log, AuditDatabase database, IArchiveStore store)
{
    private const int KeptCountMax = 2;

    private readonly Queue<(long Checkpoint, ILookup<string, SealedRecord> Records)> _kept = new();

    /// <summary>Keeps none any more.</summary>
    public void Forget() => _kept.Clear();

    /// <returns>The published segment that holds what comes at an offset; null when there is none yet.</returns>
    public async Task<(FoundSegment Segment, long To)?> FindAsync(string source, long offset, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT s.checkpoint, s.object_key, s.version_id, s.digest, s.sealed_at, r.next_offset
            FROM audit.ranges r JOIN audit.segments s USING (log, checkpoint) JOIN audit.heads h USING (log)
            WHERE r.log = $1 AND r.source = $2 AND r.next_offset > $3 AND s.checkpoint <= h.published
                AND r.first_offset >= coalesce((
                    SELECT max(first_offset) FROM audit.ranges
                    WHERE log = $1 AND source = $2 AND first_offset <= $3), 0)
            ORDER BY r.first_offset LIMIT 1
            """);
        query.Parameters.Add(new() { Value = log });
        query.Parameters.Add(new() { Value = source });
        query.Parameters.Add(new() { Value = offset });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        if (!await rows.ReadAsync(cancel)) return null;
        var reference = new SegmentReference(
            rows.GetString(1), rows.GetString(2), new(rows.GetFieldValue<byte[]>(3)));
        return (new(rows.GetInt64(0), reference, rows.GetFieldValue<DateTimeOffset>(4)), rows.GetInt64(5));
    }

    /// <returns>The records of a source in it.</returns>
    /// <exception cref="ColdSegmentException">It is in cold storage.</exception>
    /// <exception cref="DamagedSegmentException">It is not what was sealed.</exception>
    public async Task<IEnumerable<SealedRecord>> ReadAsync(
        FoundSegment segment, EntrySource source, CancellationToken cancel)
    {
        foreach (var (checkpoint, kept) in _kept)
        {
            if (checkpoint == segment.Checkpoint) return kept[source.Name];
        }

        var named = segment.Object;
        ArchivedContent? content;
        try
        {
            content = await store.ReadAsync(named.Key, named.VersionId, cancel);
        }
        catch (ArchiveStoreException e) when (e.IsCold)
        {
            throw new ColdSegmentException(segment.Checkpoint, e);
        }

        if (content is null) throw new DamagedSegmentException($"The archived segment {named.Key} is gone.");
        if (!content.Is(named.Digest.Span))
            throw new DamagedSegmentException($"The archived segment {named.Key} is not what was sealed.");
        var records = Parse(segment, content.Bytes);
        if (_kept.Count == KeptCountMax) _kept.Dequeue();
        _kept.Enqueue((segment.Checkpoint, records));
        return records[source.Name];
    }

    private static ILookup<string, SealedRecord> Parse(FoundSegment segment, byte[] content)
    {
        try
        {
            var records = new List<(string Source, SealedRecord Record)>();
            using var reader = new SegmentReader(content);
            while (reader.TryRead(out var entry))
            {
                records.Add((
                    entry.Source.Name, new(entry.Offset, entry.Index, entry.Event.ToArray(), segment.SealedAt)));
            }

            return records.ToLookup(one => one.Source, one => one.Record, StringComparer.Ordinal);
        }
        catch (InvalidDataException e)
        {
            throw new DamagedSegmentException($"The archived segment {segment.Object.Key} is none: {e.Message}");
        }
    }
}

/// <summary>A segment by its checkpoint.</summary>
/// <param name="Checkpoint">The number.</param>
/// <param name="Object">Which version of which object it is, and its digest.</param>
/// <param name="SealedAt">When.</param>
internal sealed record FoundSegment(long Checkpoint, SegmentReference Object, DateTimeOffset SealedAt);
