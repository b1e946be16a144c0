using Npgsql;

namespace ChaosTests;

/// <summary>
/// A transaction of the test that holds rows or tables, and with them whoever of the product comes to need them.
/// </summary>
internal sealed class HeldLock : IAsyncDisposable
{
    private readonly NpgsqlDataSource _database;
    private readonly NpgsqlConnection _connection;

    private HeldLock(NpgsqlDataSource database, NpgsqlConnection connection) =>
        (_database, _connection) = (database, connection);

    /// <summary>Runs a statement that locks, and stays in its transaction.</summary>
    public static async Task<HeldLock> TakeAsync(NpgsqlDataSource database, string sql)
    {
        var connection = await database.OpenConnectionAsync();
        await using var take = new NpgsqlCommand($"BEGIN; {sql}", connection) { CommandTimeout = 90 };
        await take.ExecuteNonQueryAsync();
        return new(database, connection);
    }

    /// <summary>Locks more in the same transaction.</summary>
    public async Task AddAsync(string sql)
    {
        await using var add = new NpgsqlCommand(sql, _connection) { CommandTimeout = 90 };
        await add.ExecuteNonQueryAsync();
    }

    /// <returns>The server processes that wait for this lock now, or for another that waits for it.</returns>
    public async Task<int[]> HeldAsync()
    {
        await using var query = _database.CreateCommand("""
            WITH RECURSIVE held AS (
                SELECT $1 AS pid
                UNION
                SELECT activity.pid FROM pg_stat_activity AS activity
                JOIN held ON held.pid = ANY (pg_blocking_pids(activity.pid))
                WHERE activity.datname = current_database())
            SELECT pid FROM held WHERE pid <> $1
            """);
        query.Parameters.Add(new() { Value = _connection.ProcessID });
        var held = new List<int>();
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync()) held.Add(rows.GetInt32(0));
        return [.. held];
    }

    /// <summary>
    /// Ends the server processes that wait here: what a killed client left behind does nothing afterwards.
    /// </summary>
    /// <returns>How many there were.</returns>
    public async Task<int> EndHeldAsync()
    {
        var held = await HeldAsync();
        await using var end = _database.CreateCommand("SELECT pg_terminate_backend(pid, 30000) FROM unnest($1) AS pid");
        end.Parameters.Add(new() { Value = held });
        await end.ExecuteNonQueryAsync();
        return held.Length;
    }

    public async ValueTask DisposeAsync()
    {
        await using (var end = new NpgsqlCommand("ROLLBACK", _connection)) await end.ExecuteNonQueryAsync();
        await _connection.DisposeAsync();
    }
}
