namespace Audit;

/// <summary>What logs say of themselves to everybody: the newest checkpoint that the archive holds.</summary>
internal sealed class PublishedLogs(AuditDatabase database)
{
    /// <summary>Reads the log's newest checkpoint; null while there is none.</summary>
    /// <param name="log">The log's name.</param>
    /// <param name="isCosigned">Whether the signatures of its witnesses are added.</param>
    /// <param name="cancel">Ends it.</param>
    public async ValueTask<SignedCheckpoint?> NewestAsync(string log, bool isCosigned, CancellationToken cancel)
    {
        // What was signed of another tree, smaller or other, is left out.
        await using var query = database.Control.CreateCommand("""
            SELECT h.note, c.line FROM audit.heads h
            LEFT JOIN audit.cosignatures c ON $2 AND c.log = h.log AND starts_with(h.note, c.text || E'\n')
            WHERE h.log = $1 AND h.note IS NOT NULL
            ORDER BY c.witness
            """);
        query.Parameters.Add(new() { Value = log });
        query.Parameters.Add(new() { Value = isCosigned });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        SignedCheckpoint? newest = null;
        var lines = "";
        while (await rows.ReadAsync(cancel))
        {
            newest ??= Parse(log, rows.GetString(0));
            if (!rows.IsDBNull(1)) lines += rows.GetString(1);
        }

        return newest is not null && lines.Length > 0 && SignedNote.TrySignatures(lines, out var cosignatures)
            ? newest.With(cosignatures) : newest;
    }

    /// <returns>Those logs that have a checkpoint, behind one of them, by name.</returns>
    public async Task<List<(string Log, SignedCheckpoint Newest)>> ListAsync(
        IEnumerable<string> logs, string after, int countMax, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT log, note FROM audit.heads WHERE log > $1 AND log = ANY ($3) AND note IS NOT NULL
            ORDER BY log LIMIT $2
            """);
        query.Parameters.Add(new() { Value = after });
        query.Parameters.Add(new() { Value = countMax });
        query.Parameters.Add(new() { Value = logs.ToArray() });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var found = new List<(string, SignedCheckpoint)>();
        while (await rows.ReadAsync(cancel))
        {
            var log = rows.GetString(0);
            found.Add((log, Parse(log, rows.GetString(1))));
        }

        return found;
    }

    private static SignedCheckpoint Parse(string log, string note) => SignedCheckpoint.TryParse(note, out var signed)
        ? signed : throw new InvalidDataException($"The stored note of {log} is none.");
}
