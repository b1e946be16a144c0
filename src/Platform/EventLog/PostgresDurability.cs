using Npgsql;

namespace Platform;

/// <summary>Looks at whether a server keeps what it has confirmed.</summary>
internal static class PostgresDurability
{
    /// <returns>Settings of the server that let it lose what it has confirmed, one sentence each.</returns>
    public static async Task<IReadOnlyList<string>> DifferencesAsync(
        NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand("""
            SELECT name, setting FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes') AND setting <> 'on'
                OR name = 'synchronous_commit' AND setting NOT IN ('on', 'remote_apply')
             ORDER BY name
            """, connection);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var differences = new List<string>();
        while (await rows.ReadAsync(cancel))
        {
            differences.Add(
                $"The server has {rows.GetString(0)}={rows.GetString(1)}: it may lose what it has confirmed.");
        }

        return differences;
    }
}
