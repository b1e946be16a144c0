using System.Collections.Concurrent;
using Npgsql;

namespace Testing;

/// <summary>
/// Real PostgreSQL for tests. Use it so: <c>[assembly: AssemblyFixture(typeof(Postgres))]</c>.
/// </summary>
/// <remarks>
/// The server is the one that <c>VOTING_TEST_POSTGRES</c> names (a superuser's Npgsql connection string), else a
/// private one that is started at the first need and gone when the process ends. Safe to use from many tests at once.
/// </remarks>
public sealed class Postgres : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _templates = new();
    private readonly ConcurrentQueue<string> _made = new();
    private readonly Func<Task<string>> _server = PostgresServer.ConnectionStringAsync;
    private readonly bool _outlives = PostgresServer.Outlives;

    /// <summary>On the server that all tests share.</summary>
    public Postgres() { }

    private Postgres(OwnPostgres server) =>
        (_server, _outlives) = (() => Task.FromResult(server.ConnectionString), false);

    /// <returns>On a server of the test's own.</returns>
    public static Postgres On(OwnPostgres server) => new(server);

    /// <summary>The server, as its superuser, connected to the database <c>postgres</c>.</summary>
    /// <exception cref="InvalidOperationException">There is none and none could be started; says why.</exception>
    public static Task<string> ConnectionStringAsync() => PostgresServer.ConnectionStringAsync();

    /// <summary>An empty database of the test's own. Tests run side by side and never clean up.</summary>
    public Task<TestDatabase> NewDatabaseAsync(CancellationToken cancel = default) =>
        CreateAsync("template1", cancel);

    /// <summary>A copy of a database that was migrated once in this process.</summary>
    /// <param name="key">Names what the migration makes: the same key means the same template.</param>
    /// <param name="migrate">Migrates the empty database behind the connection string; called once a key.</param>
    /// <param name="cancel">Ends the wait for the copy; the template is made all the same.</param>
    public async Task<TestDatabase> NewMigratedDatabaseAsync(
        string key, Func<string, CancellationToken, Task> migrate, CancellationToken cancel = default)
    {
        var template = _templates.GetOrAdd(key, _ => new(() => MigrateAsync(migrate)));
        return await CreateAsync(await template.Value.WaitAsync(cancel), cancel);
    }

    /// <summary>Takes away what was made, if the server stays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_outlives) return;
        foreach (var name in _made)
            await ExecuteAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)", CancellationToken.None);
    }

    private async Task<string> MigrateAsync(Func<string, CancellationToken, Task> migrate)
    {
        await using var template = await CreateAsync("template1", CancellationToken.None);
        await migrate(template.ConnectionString, CancellationToken.None);
        // A database can only be copied while nobody is connected to it, and pools keep connections.
        await ExecuteAsync($"ALTER DATABASE {template.Name} ALLOW_CONNECTIONS false", CancellationToken.None);
        await ExecuteAsync(
            $"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{template.Name}'",
            CancellationToken.None);
        return template.Name;
    }

    private async Task<TestDatabase> CreateAsync(string template, CancellationToken cancel)
    {
        var name = $"test_{Guid.NewGuid():N}";
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {template}", cancel);
        _made.Enqueue(name);
        return new(name, new NpgsqlConnectionStringBuilder(await _server()) { Database = name });
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(await _server());
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync(cancel);
    }
}

/// <summary>One database of one test. Disposing closes the connections of <see cref="Source"/>.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private readonly Lazy<NpgsqlDataSource> _source;

    internal TestDatabase(string name, NpgsqlConnectionStringBuilder connection)
    {
        Name = name;
        ConnectionString = connection.ConnectionString;
        _source = new(() => NpgsqlDataSource.Create(ConnectionString));
    }

    /// <summary>The database's name on its server.</summary>
    public string Name { get; }

    /// <summary>Npgsql's connection string, as superuser.</summary>
    public string ConnectionString { get; }

    /// <summary>A pool of the test's own, as superuser.</summary>
    public NpgsqlDataSource Source => _source.Value;

    /// <summary>Closes the test's own connections; the database stays until the tests' process ends.</summary>
    public ValueTask DisposeAsync() => _source.IsValueCreated ? _source.Value.DisposeAsync() : ValueTask.CompletedTask;
}
