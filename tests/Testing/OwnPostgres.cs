using System.Diagnostics;

namespace Testing;

/// <summary>
/// A server of one test's own, started by the script with which <c>./voting up</c> starts its server: the test may end
/// it as a power cut would. Gone when the test's process ends.
/// </summary>
public sealed class OwnPostgres : IAsyncDisposable
{
    private readonly string _directory;

    private OwnPostgres(string directory, string connectionString) =>
        (_directory, ConnectionString) = (directory, connectionString);

    /// <summary>The server, as its superuser. It keeps its port over restarts.</summary>
    public string ConnectionString { get; }

    /// <summary>Makes and starts one.</summary>
    /// <exception cref="ProcessFailedException">It could not be made; holds the script's last output.</exception>
    public static async Task<OwnPostgres> StartAsync(CancellationToken cancel)
    {
        var directory = Directory.CreateTempSubdirectory("voting-own-").FullName;
        var connection = await ScriptAsync(
            ["start", directory, "--for", $"{Environment.ProcessId}"], cancel);
        return new(directory, connection);
    }

    /// <summary>Ends it at once and without a checkpoint: SIGQUIT, PostgreSQL's immediate shutdown.</summary>
    /// <returns>When it is gone.</returns>
    public async Task CrashAsync(CancellationToken cancel)
    {
        using var server = Process.GetProcessById(await ProcessIdAsync(cancel));
        Signals.Send(server.Id, Signal.Quit);
        while (!server.HasExited && File.Exists($"/proc/{server.Id}/stat")) await Task.Delay(10, cancel);
    }

    /// <summary>Starts it again: it recovers from its log.</summary>
    public Task<string> StartAgainAsync(CancellationToken cancel) => ScriptAsync(["start", _directory], cancel);

    /// <summary>Stops and deletes it.</summary>
    public async ValueTask DisposeAsync() => await ScriptAsync(["wipe", _directory], CancellationToken.None);

    private async Task<int> ProcessIdAsync(CancellationToken cancel)
    {
        await using var connection = new Npgsql.NpgsqlConnection($"{ConnectionString};Pooling=false");
        await connection.OpenAsync(cancel);
        await using var query = new Npgsql.NpgsqlCommand(
            "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int", connection);
        return (int)(await query.ExecuteScalarAsync(cancel))!;
    }

    private static Task<string> ScriptAsync(string[] arguments, CancellationToken cancel) => ChildProcess.RunAsync(
        "scripts/postgres", "bash", [Path.Combine(Repository.Root, "scripts", "postgres"), .. arguments],
        new Dictionary<string, string>(), cancel);
}
