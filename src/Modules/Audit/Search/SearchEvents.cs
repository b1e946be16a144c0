using Npgsql;

namespace Audit;

/// <summary>Finds archived events in the index.</summary>
internal sealed class SearchEvents(AuditDatabase database)
{
    /// <summary>Reads some events from a place on.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">The event before the first one; null at the beginning.</param>
    /// <param name="newestFirst">The order, by time, log and index.</param>
    /// <param name="countMax">At least 1.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<List<ArchivedEvent>> ReadAsync(
        EventFilter filter, EventPlace? after, bool newestFirst, int countMax, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand();
        var conditions = new List<string>();
        Where("vote =", filter.Vote);
        Where("voter_key =", filter.VoterKey);
        Where("survey =", filter.Survey);
        Where("type =", filter.Type);
        Where("actor =", filter.Actor);
        Where("time >=", filter.From?.UtcDateTime);
        Where("time <", filter.To?.UtcDateTime);
        if (after is not null)
        {
            // Of the row as a whole, and of the time once more: months that are over are left out by that alone.
            Where(newestFirst ? "time <=" : "time >=", after.Time.UtcDateTime);
            var place = $"(${Add(after.Time.UtcDateTime)}, ${Add(after.Log)}, ${Add(after.Index)})";
            conditions.Add($"(time, log, index) {(newestFirst ? '<' : '>')} {place}");
        }

        var (where, order) = (conditions.Count == 0 ? "true" : string.Join(" AND ", conditions),
            newestFirst ? "time DESC, log DESC, index DESC" : "time, log, index");
        query.CommandText = $"""
            SELECT log, index, time, type, survey, vote, voter_key, actor, topic, partition, "offset", entry
            FROM audit.events WHERE {where} ORDER BY {order} LIMIT ${Add(countMax)}
            """;
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var found = new List<ArchivedEvent>(Math.Min(countMax, 1_000));
        while (await rows.ReadAsync(cancel)) found.Add(Read(rows));
        return found;

        void Where(string condition, object? value)
        {
            if (value is not null) conditions.Add($"{condition} ${Add(value)}");
        }

        int Add(object value)
        {
            query.Parameters.Add(new() { Value = value });
            return query.Parameters.Count;
        }
    }

    private static ArchivedEvent Read(NpgsqlDataReader row) => new(
        row.GetString(0), row.GetInt64(1), row.GetFieldValue<DateTimeOffset>(2), row.GetString(3),
        row.IsDBNull(4) ? null : row.GetInt32(4), row.IsDBNull(5) ? null : row.GetFieldValue<byte[]>(5),
        row.IsDBNull(6) ? null : row.GetFieldValue<byte[]>(6), row.IsDBNull(7) ? null : row.GetString(7),
        row.GetString(8), row.GetInt32(9), row.GetInt64(10), new(row.GetFieldValue<byte[]>(11)));
}
