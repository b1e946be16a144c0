namespace Audit;

/// <summary>Reads archived events themselves, out of their segments.</summary>
internal sealed class EventBytes(AuditDatabase database, IArchiveStore store)
{
    /// <summary>Reads events that the index found.</summary>
    /// <param name="events">Which.</param>
    /// <param name="sizeBytesMax">Of all together, unless it is one only.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>In the same order; null if they are larger together.</returns>
    /// <exception cref="InvalidDataException">The archive does not have what was sealed.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<byte[][]?> ReadAsync(
        IReadOnlyList<ArchivedEvent> events, long sizeBytesMax, CancellationToken cancel)
    {
        var wanted = new Dictionary<(string, long), int>(events.Count);
        for (var i = 0; i < events.Count; i++) wanted.Add((events[i].Log, events[i].Index), i);
        var found = new byte[events.Count][];
        var sizeBytes = 0L;
        foreach (var (log, reference) in await SegmentsAsync(events, cancel))
        {
            var content = await store.ReadAsync(reference.Key, reference.VersionId, cancel);
            if (content is null || !content.Is(reference.Digest.Span))
                throw new InvalidDataException($"The archived segment {reference.Key} is not what was sealed.");
            using var reader = new SegmentReader(content.Bytes);
            while (reader.TryRead(out var entry))
            {
                if (!wanted.TryGetValue((log, entry.Index), out var place)) continue;
                found[place] = entry.Event.ToArray();
                sizeBytes += entry.Event.Length;
                if (sizeBytes > sizeBytesMax && events.Count > 1) return null;
            }
        }

        for (var i = 0; i < found.Length; i++)
        {
            if (found[i] is null || Digest.Of(found[i]) != events[i].Entry)
                throw new InvalidDataException($"The archive has another entry {events[i].Index} of {events[i].Log}.");
        }

        return found;
    }

    private async Task<List<(string Log, SegmentReference Object)>> SegmentsAsync(
        IReadOnlyList<ArchivedEvent> events, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT DISTINCT s.log, s.checkpoint, s.object_key, s.version_id, s.digest
            FROM unnest($1, $2) AS wanted (log, index)
            CROSS JOIN LATERAL (
                SELECT * FROM audit.segments s WHERE s.log = wanted.log AND s.first_index <= wanted.index
                ORDER BY s.first_index DESC LIMIT 1) s
            """);
        query.Parameters.Add(new() { Value = events.Select(one => one.Log).ToArray() });
        query.Parameters.Add(new() { Value = events.Select(one => one.Index).ToArray() });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var found = new List<(string, SegmentReference)>();
        while (await rows.ReadAsync(cancel))
        {
            found.Add((rows.GetString(0), new(
                rows.GetString(2), rows.GetString(3), new(rows.GetFieldValue<byte[]>(4)))));
        }

        return found;
    }
}
