using System.Globalization;
using Npgsql;

namespace Bench;

/// <summary>The server that everything is stored in: durable, on this machine, named by the environment.</summary>
internal sealed class Postgres : IAsyncDisposable
{
    private const string Variable = "VOTING_BENCH_POSTGRES";

    private static readonly string[] Durable = ["fsync", "synchronous_commit", "full_page_writes"];

    private readonly NpgsqlDataSource _source;
    private readonly string _connectionString;
    private readonly List<string> _made = [];

    private Postgres(string connectionString)
    {
        _connectionString = connectionString;
        _source = NpgsqlDataSource.Create(connectionString);
    }

    /// <summary>The server's first process: all others are its children.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Settings without which a figure would be of something else.</summary>
    public IReadOnlyDictionary<string, string> Durability { get; private set; } = new Dictionary<string, string>();

    /// <summary>The machine's load average of the minute before.</summary>
    public double LoadBefore { get; } =
        double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    /// <exception cref="MisuseException">It is not named, not here, or not durable.</exception>
    public static async Task<Postgres> ConnectAsync(CancellationToken cancel)
    {
        var named = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } value
            ? value
            : throw new MisuseException($"{Variable} is not set: run ./voting bench, which sets it.");
        var postgres = new Postgres(named);
        try
        {
            await postgres.CheckAsync(cancel);
            return postgres;
        }
        catch (Exception e) when (e is NpgsqlException or ArgumentException)
        {
            await postgres.DisposeAsync();
            throw new MisuseException($"The PostgreSQL of {Variable} cannot be used: {e.Message}");
        }
    }

    /// <summary>A database that was migrated, and the master key of its keys; null before the first one was.</summary>
    public (string Template, string MasterKey)? Migrated { get; set; }

    /// <returns>Connection string of a new database, a copy of another.</returns>
    public async Task<string> NewDatabaseAsync(string template, CancellationToken cancel)
    {
        var name = $"bench_{Guid.NewGuid():N}";
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {template}", cancel);
        _made.Add(name);
        return new NpgsqlConnectionStringBuilder(_connectionString) { Database = name }.ConnectionString;
    }

    /// <summary>Drops it, whoever is connected.</summary>
    public async Task DropAsync(string connectionString)
    {
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database!;
        await ExecuteAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)", CancellationToken.None);
        _made.Remove(name);
    }

    public Task CheckpointAsync(CancellationToken cancel) => ExecuteAsync("CHECKPOINT", cancel);

    public async Task<string> ShowAsync(string setting, CancellationToken cancel)
    {
        await using var command = _source.CreateCommand($"SHOW {setting}");
        return (string)(await command.ExecuteScalarAsync(cancel))!;
    }

    /// <returns>CPU of the whole server so far, in microseconds.</returns>
    public double CpuMicroseconds() => Processes.FamilyCpuMicroseconds(ProcessId);

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _made.ToList())
            await ExecuteAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)", CancellationToken.None);
        await _source.DisposeAsync();
    }

    private async Task CheckAsync(CancellationToken cancel)
    {
        var settings = new Dictionary<string, string>();
        foreach (var setting in Durable)
        {
            settings[setting] = await ShowAsync(setting, cancel);
            if (settings[setting] is not "on")
                throw new MisuseException($"{setting} is {settings[setting]}: set it on.");
        }

        Durability = settings;
        await using var command = _source.CreateCommand("SELECT pg_backend_pid()");
        var backend = (int)(await command.ExecuteScalarAsync(cancel))!;
        ProcessId = Processes.ParentOf(backend)
            ?? throw new MisuseException($"The PostgreSQL of {Variable} does not run on this machine.");
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancel)
    {
        await using var command = _source.CreateCommand(sql);
        command.CommandTimeout = 120;
        await command.ExecuteNonQueryAsync(cancel);
    }
}
