using System.Buffers.Text;
using System.Data;
using System.Text.Json;
using Npgsql;

namespace Demo;

/// <summary>What stands in the shards' rows of one survey.</summary>
/// <param name="Schemas">Where was looked.</param>
/// <param name="Tally">Added up by the database from the ballots' rows.</param>
/// <param name="VoterCount">Different voters among them.</param>
/// <param name="Ballots">What each row says, by vote id.</param>
/// <param name="Refused">Records outside the result, by reason; <c>repeated</c> are copies of votes in it.</param>
/// <param name="Rejected">Vote ids of those among them that are no copies.</param>
internal sealed record RowCount(
    IReadOnlyList<string> Schemas, Tally Tally, long VoterCount, IReadOnlyDictionary<string, string> Ballots,
    IReadOnlyDictionary<string, long> Refused, IReadOnlySet<string> Rejected);

/// <summary>Counts a survey again from its rows, by queries that share nothing with the platform's counting.</summary>
internal sealed class Recount(string database)
{
    /// <summary>Makes sure that the database can be asked.</summary>
    /// <exception cref="MisuseException">It cannot, or holds no shards.</exception>
    public async Task ReachAsync(CancellationToken cancel)
    {
        try
        {
            await using var connection = new NpgsqlConnection(database);
            await connection.OpenAsync(cancel);
            if ((await SchemasAsync(connection, cancel)).Count == 0)
                throw new MisuseException("VOTING_DATABASE holds no shards: name the database that does.");
        }
        catch (Exception e) when (e is NpgsqlException or ArgumentException)
        {
            throw new MisuseException($"VOTING_DATABASE cannot be asked: {e.Message}");
        }
    }

    /// <exception cref="BrokenOffException">The database fails.</exception>
    public async Task<RowCount> RunAsync(int survey, CancellationToken cancel)
    {
        try
        {
            await using var connection = new NpgsqlConnection(database);
            await connection.OpenAsync(cancel);
            // One snapshot for all queries.
            await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
            return await CountAsync(connection, survey, cancel);
        }
        catch (NpgsqlException e)
        {
            throw new BrokenOffException($"The rows cannot be recounted: {e.Message}");
        }
    }

    private static async Task<RowCount> CountAsync(NpgsqlConnection connection, int survey, CancellationToken cancel)
    {
        var schemas = await SchemasAsync(connection, cancel);
        var (ballotCount, voterCount) = (0L, 0L);
        await ReadAsync(
            $"SELECT count(*), count(DISTINCT voter_key) FROM ({All("voter_key", "ballots")}) AS row",
            row => (ballotCount, voterCount) = (row.GetInt64(0), row.GetInt64(1)));
        var votes = new Dictionary<string, long>(StringComparer.Ordinal);
        await ReadAsync(
            $"SELECT option::text, count(*) FROM ({All("unnest(options) AS option", "ballots")}) AS row GROUP BY 1",
            row => votes.Add(row.GetString(0), row.GetInt64(1)));
        var ballots = new Dictionary<string, string>(StringComparer.Ordinal);
        await ReadAsync(
            All("vote_id, options, texts::text", "ballots"),
            row => ballots[Id(row)] = BallotPaper.ContentOf(
                row.GetFieldValue<int[]>(1), row.IsDBNull(2) ? [] : Texts(row.GetString(2))));
        var refused = new Dictionary<string, long>(StringComparer.Ordinal);
        await ReadAsync(
            $"SELECT coalesce(reason, 'repeated'), count(*) FROM ({All("reason", "refused")}) AS row GROUP BY 1",
            row => refused.Add(row.GetString(0), row.GetInt64(1)));
        var rejected = new HashSet<string>(StringComparer.Ordinal);
        await ReadAsync(
            $"SELECT vote_id FROM ({All("vote_id, reason", "refused")}) AS row WHERE reason IS NOT NULL",
            row => rejected.Add(Id(row)));
        return new(schemas, new(ballotCount, votes), voterCount, ballots, refused, rejected);

        string All(string columns, string table) => string.Join(
            " UNION ALL ", schemas.Select(schema => $"SELECT {columns} FROM {schema}.{table} WHERE survey = $1"));

        async Task ReadAsync(string sql, Action<NpgsqlDataReader> take)
        {
            await using var query = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = survey } } };
            await using var rows = await query.ExecuteReaderAsync(cancel);
            while (await rows.ReadAsync(cancel)) take(rows);
        }
    }

    /// <returns>Every schema that holds a shard, quoted.</returns>
    private static async Task<IReadOnlyList<string>> SchemasAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand("""
            SELECT quote_ident(nspname) FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
            WHERE nspname ~ '^voting_[0-9]+$' AND relname = 'ballots' AND relkind IN ('r', 'p')
            ORDER BY nspname
            """, connection);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var schemas = new List<string>();
        while (await rows.ReadAsync(cancel)) schemas.Add(rows.GetString(0));
        return schemas;
    }

    private static string Id(NpgsqlDataReader row) => Base64Url.EncodeToString(row.GetFieldValue<byte[]>(0));

    private static IEnumerable<(string, string)> Texts(string json) =>
        JsonElement.Parse(json).EnumerateObject().Select(text => (text.Name, text.Value.GetString() ?? ""));
}
