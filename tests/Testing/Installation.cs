using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;

namespace Testing;

/// <summary>
/// A whole installation: real <c>voting-host</c> processes and the sandbox's providers against a database of its own.
/// </summary>
public sealed class Installation : IAsyncDisposable
{
    private const int VotersARequestMax = 10_000;

    private readonly ConcurrentQueue<HostProcess> _hosts = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _staffTokens = new();
    private readonly SandboxProcess _sandbox;
    private readonly Dictionary<string, string> _settings;

    private Installation(
        TestDatabase database, SandboxProcess sandbox, string archive, Dictionary<string, string> settings)
    {
        Database = database;
        Archive = archive;
        _sandbox = sandbox;
        _settings = settings;
    }

    /// <summary>
    /// What wraps the keys of every installation of these tests: one for all, because copies of a
    /// migrated database hold keys that are wrapped by the master key of the original. For tests that
    /// forge what only the platform can sign.
    /// </summary>
    public static string MasterKey { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>The control database, which also holds the shards unless settings say otherwise.</summary>
    public TestDatabase Database { get; }

    /// <summary>The directory that holds its archive, unless settings name another store.</summary>
    public string Archive { get; }

    /// <summary>Every process that was started, ended ones included, in the order of their starts.</summary>
    public IReadOnlyList<HostProcess> Hosts => [.. _hosts];

    /// <summary>The public listener of the first running process that has one.</summary>
    public HttpClient Public => _hosts.First(host => host is { IsPublic: true, HasExited: false }).Public;

    /// <summary>The internal listener of the first running process that has one.</summary>
    public HttpClient Internal => _hosts.First(host => host is { IsInternal: true, HasExited: false }).Internal;

    /// <summary>The sandbox's providers.</summary>
    public HttpClient Sandbox => _sandbox.Client;

    /// <summary>Starts one process for each entry of <paramref name="roles"/>.</summary>
    /// <param name="postgres">Where the database is made.</param>
    /// <param name="roles">Such as <c>all</c> or <c>api,consumer</c>, or several times; none starts none yet.</param>
    /// <param name="settings">For every process, in their environment form, such as <c>Voting__Lease</c>.</param>
    /// <param name="cancel">Ends the start; what was started is ended.</param>
    /// <exception cref="ProcessFailedException">One ended or was not ready in time; holds its last output.</exception>
    public static async Task<Installation> StartAsync(
        Postgres postgres, IEnumerable<string> roles, IReadOnlyDictionary<string, string>? settings = null,
        CancellationToken cancel = default)
    {
        var installation = await PrepareAsync(postgres, settings ?? new Dictionary<string, string>(), cancel);
        try
        {
            foreach (var entry in roles) await installation.StartHostAsync(entry, cancel: cancel);
            return installation;
        }
        catch
        {
            await installation.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more process: beside those that run, or in the place of one that was killed.</summary>
    /// <param name="roles">Such as <c>all</c> or <c>api,consumer</c>.</param>
    /// <param name="settings">On top of the installation's own.</param>
    /// <param name="cancel">Ends the start.</param>
    /// <exception cref="ProcessFailedException">It ended or was not ready in time; holds its last output.</exception>
    public Task<HostProcess> StartHostAsync(
        string roles, IReadOnlyDictionary<string, string>? settings = null, CancellationToken cancel = default) =>
        StartHostAsync(roles, settings, null, cancel);

    /// <summary>The same, with a limit of its own on the files that it may have open.</summary>
    /// <param name="roles">Such as <c>all</c> or <c>api,consumer</c>.</param>
    /// <param name="settings">On top of the installation's own.</param>
    /// <param name="openFilesMax">Null: that of this process.</param>
    /// <param name="cancel">Ends the start.</param>
    /// <exception cref="ProcessFailedException">It ended or was not ready in time; holds its last output.</exception>
    public async Task<HostProcess> StartHostAsync(
        string roles, IReadOnlyDictionary<string, string>? settings, int? openFilesMax, CancellationToken cancel)
    {
        var own = new Dictionary<string, string>(_settings);
        foreach (var (key, value) in settings ?? new Dictionary<string, string>()) own[key] = value;
        var host = await HostProcess.StartAsync(roles, own, openFilesMax, cancel);
        _hosts.Enqueue(host);
        return host;
    }

    /// <summary>Runs a verb of <c>voting-host</c> with the installation's settings.</summary>
    /// <returns>Its standard output.</returns>
    /// <exception cref="ProcessFailedException">It ended with another exit code than 0.</exception>
    public Task<string> RunAsync(IEnumerable<string> arguments, CancellationToken cancel = default)
    {
        string[] all = [.. arguments];
        return ChildProcess.RunAsync($"voting-host {string.Join(' ', all)}", Programs.Host, all, _settings, cancel);
    }

    /// <summary>A staff token as the verb <c>admin token</c> prints it; asked for once for each role.</summary>
    /// <param name="role"><c>manager</c>, <c>investigator</c>, <c>auditor</c> or <c>admin</c>.</param>
    public Task<string> StaffTokenAsync(string role) => _staffTokens.GetOrAdd(
        role, _ => new(async () => (await RunAsync(["admin", "token", "--role", role])).Trim())).Value;

    /// <summary>New voters, signed in through the real endpoints.</summary>
    /// <param name="count">How many, at least 1.</param>
    /// <param name="at">Whose public listener they sign in at; null takes the first one that runs.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">A sign-in failed; says what the platform answered.</exception>
    public async Task<IReadOnlyList<SignedInVoter>> NewVotersAsync(
        int count, HostProcess? at = null, CancellationToken cancel = default)
    {
        var platform = (at?.Public ?? Public).BaseAddress;
        var voters = new List<SignedInVoter>(count);
        while (voters.Count < count)
        {
            var next = Math.Min(count - voters.Count, VotersARequestMax);
            using var answer = await Sandbox.PostAsync(
                $"/sandbox/voters?count={next}&host={platform}", null, cancel);
            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(cancel));
            while (await lines.ReadLineAsync(cancel) is { } line)
            {
                var voter = JsonSerializer.Deserialize<SignedInVoter>(line, JsonSerializerOptions.Web);
                if (voter?.VoterId is null) throw new InvalidOperationException($"No {count} voters: {line}");
                voters.Add(voter);
                next--;
            }

            if (next != 0) throw new InvalidOperationException($"No {count} voters: the sandbox's answer broke off.");
        }

        return voters;
    }

    /// <summary>Kills every process that still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts) await host.DisposeAsync();
        await _sandbox.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(Archive, recursive: true);
    }

    private static async Task<Installation> PrepareAsync(
        Postgres postgres, IReadOnlyDictionary<string, string> settings, CancellationToken cancel)
    {
        var sandbox = await SandboxProcess.StartAsync(cancel);
        try
        {
            var all = Defaults(sandbox.Address);
            var archive = Directory.CreateTempSubdirectory("voting-archive-").FullName;
            all["Archive__Directory"] = archive;
            foreach (var (key, value) in settings) all[key] = value;
            var database = await NewDatabaseAsync(postgres, all, cancel);
            all["Database__ConnectionString"] = database.ConnectionString;
            return new(database, sandbox, archive, all);
        }
        catch
        {
            await sandbox.DisposeAsync();
            throw;
        }
    }

    private static Dictionary<string, string> Defaults(Uri sandbox) => new()
    {
        ["Http__PublicPort"] = "0",
        ["Http__InternalPort"] = "0",
        ["Http__ManagementPort"] = "0",
        ["Log__Provider"] = "postgres",
        ["Keys__MasterKey"] = MasterKey,
        ["Voting__Lease"] = "00:00:02",
        ["Backoffice__RequireAccounts"] = "false",
        ["Identity__Providers__Google__Authority"] = $"{sandbox}google",
        ["Identity__Providers__Google__ClientIds__0"] = "voting-sandbox",
        ["Identity__Providers__Apple__Authority"] = $"{sandbox}apple",
        ["Identity__Providers__Apple__ClientIds__0"] = "voting-sandbox",
        ["Identity__Providers__Facebook__Authority"] = $"{sandbox}facebook",
        ["Identity__Providers__Facebook__ClientIds__0"] = "voting-sandbox",
    };

    private static async Task<TestDatabase> NewDatabaseAsync(
        Postgres postgres, Dictionary<string, string> settings, CancellationToken cancel)
    {
        // Only the control database is copied: shards that lie elsewhere have to be migrated each time.
        if (settings.Keys.Any(key => key.StartsWith("Shards__", StringComparison.OrdinalIgnoreCase)))
        {
            var database = await postgres.NewDatabaseAsync(cancel);
            await MigrateAsync(database.ConnectionString, settings, cancel);
            return database;
        }

        // Others with the same keys and log get copies, too: no other setting of this one may reach the original.
        var common = settings
            .Where(setting => setting.Key.StartsWith("Keys__", StringComparison.OrdinalIgnoreCase)
                || setting.Key.StartsWith("Log__", StringComparison.OrdinalIgnoreCase))
            .OrderBy(setting => setting.Key, StringComparer.Ordinal)
            .ToDictionary();
        return await postgres.NewMigratedDatabaseAsync(
            $"installation {JsonSerializer.Serialize(common)}",
            (connection, stop) => MigrateAsync(connection, common, stop), cancel);
    }

    private static Task<string> MigrateAsync(
        string connectionString, Dictionary<string, string> settings, CancellationToken cancel) =>
        ChildProcess.RunAsync(
            "voting-host migrate", Programs.Host, ["migrate"],
            new Dictionary<string, string>(settings) { ["Database__ConnectionString"] = connectionString }, cancel);
}

/// <summary>A voter that the sandbox signed in.</summary>
/// <param name="AccessToken">For <c>Authorization: Bearer</c>.</param>
/// <param name="RefreshToken">Works once.</param>
/// <param name="VoterId">22 characters.</param>
public sealed record SignedInVoter(string AccessToken, string RefreshToken, string VoterId);
