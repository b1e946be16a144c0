using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;

namespace Bench;

/// <summary>An installation of the platform with a database of its own, and what is needed to vote in it.</summary>
internal sealed class Site : IAsyncDisposable
{
    private const int VotersARequest = 500;

    private readonly Postgres _postgres;
    private readonly Dictionary<string, string> _settings;
    private readonly List<ChildProgram> _children = [];
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false })
    {
        Timeout = TimeSpan.FromMinutes(2),
    };

    private readonly DirectoryInfo _archive = Directory.CreateTempSubdirectory("voting-bench-archive-");

    private Uri? _sandbox;
    private string? _staffToken;

    private Site(Postgres postgres, string connectionString, string masterKey)
    {
        (_postgres, ConnectionString) = (postgres, connectionString);
        _settings = SettingsOf(connectionString, masterKey);
        _settings["Archive__Directory"] = _archive.FullName;
    }

    /// <summary>Of the database, as its owner.</summary>
    public string ConnectionString { get; }

    /// <summary>What wraps the installation's keys.</summary>
    public string MasterKey => _settings["Keys__MasterKey"];

    /// <summary>Where role <c>audit</c> archives.</summary>
    public string ArchiveDirectory => _archive.FullName;

    /// <summary>The server that holds it.</summary>
    public Postgres Postgres => _postgres;

    /// <summary>A migrated database; no process runs yet.</summary>
    public static async Task<Site> StartAsync(Postgres postgres, CancellationToken cancel)
    {
        // Migrated once, and copied: copies hold the same keys under the same master key.
        var (template, masterKey) = postgres.Migrated ??= await MigrateAsync(postgres, cancel);
        return new(postgres, await postgres.NewDatabaseAsync(template, cancel), masterKey);
    }

    /// <summary>Starts one process and waits until it is ready.</summary>
    public Task<HostProgram> StartHostAsync(string roles, CancellationToken cancel) =>
        StartHostAsync(roles, new Dictionary<string, string>(), cancel);

    /// <summary>The same with settings of its own.</summary>
    public async Task<HostProgram> StartHostAsync(
        string roles, IReadOnlyDictionary<string, string> settings, CancellationToken cancel)
    {
        if (_sandbox is null) await StartSandboxAsync(cancel);
        var child = ChildProgram.Start(
            Programs.Host, ["--role", roles], new Dictionary<string, string>(_settings.Concat(settings)));
        _children.Add(child);
        var host = await child.HearAsync(line => HostProgram.Read(child, line), cancel);
        while (!await IsReadyAsync(host, cancel)) await Task.Delay(50, cancel);
        return host;
    }

    /// <summary>Runs a verb of <c>voting-host</c> to its end.</summary>
    public Task RunAsync(
        IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> settings, CancellationToken cancel) =>
        ChildProgram.RunAsync(
            Programs.Host, arguments, new Dictionary<string, string>(_settings.Concat(settings)), cancel);

    /// <summary>Signs voters in, through the real endpoints.</summary>
    /// <returns>Their access tokens.</returns>
    public async Task<string[]> NewVotersAsync(int count, HostProgram at, CancellationToken cancel)
    {
        var tokens = new List<string>(count);
        while (tokens.Count < count)
        {
            var next = Math.Min(count - tokens.Count, VotersARequest);
            var answer = await SendAsync(
                HttpMethod.Post, new(_sandbox!, $"/sandbox/voters?count={next}&host={at.Public}"), null, null, cancel);
            foreach (var line in answer.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                tokens.Add((string?)JsonNode.Parse(line)?["accessToken"]
                    ?? throw new BrokenOffException($"Voters cannot sign in: {line}"));
            }
        }

        return [.. tokens];
    }

    /// <summary>Makes and publishes a survey.</summary>
    public async Task<BallotPaper> PublishAsync(HostProgram backoffice, CancellationToken cancel)
    {
        _staffToken ??= (await ChildProgram.RunAsync(
            Programs.Host, ["admin", "token", "--role", "manager"], _settings, cancel)).Trim();
        var surveys = new Uri(backoffice.Internal, "/v1/internal/surveys");
        var draft = JsonNode.Parse(
            await SendAsync(HttpMethod.Post, surveys, _staffToken, BallotPaper.Survey, cancel))!;
        await SendAsync(HttpMethod.Put, new($"{surveys}/{draft["id"]}/publish"), _staffToken, null, cancel);
        return BallotPaper.Of(draft);
    }

    /// <summary>Kills everything and drops the database.</summary>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        foreach (var child in _children) await child.DisposeAsync();
        await _postgres.DropAsync(ConnectionString);
        _archive.Delete(recursive: true);
    }

    private static Dictionary<string, string> SettingsOf(string connectionString, string masterKey) => new()
    {
        ["Database__ConnectionString"] = connectionString,
        ["Http__PublicPort"] = "0",
        ["Http__InternalPort"] = "0",
        ["Http__ManagementPort"] = "0",
        ["Log__Provider"] = "postgres",
        ["Voting__Reservations"] = "in-process",
        ["Keys__MasterKey"] = masterKey,
        ["Backoffice__RequireAccounts"] = "false",
        // All voters come from this machine: their common address is counted, and never refused.
        ["Limits__AddressPerSecond"] = "1000000",
        ["Limits__AddressBurst"] = "1000000",
        ["Results__ConnectionCountPerAddressMax"] = "1000000",
    };

    private static async Task<(string Template, string MasterKey)> MigrateAsync(
        Postgres postgres, CancellationToken cancel)
    {
        var masterKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        var connectionString = await postgres.NewDatabaseAsync("template1", cancel);
        var settings = SettingsOf(connectionString, masterKey);
        await ChildProgram.RunAsync(Programs.Host, ["migrate"], settings, cancel);
        return (new NpgsqlConnectionStringBuilder(connectionString).Database!, masterKey);
    }

    private async Task StartSandboxAsync(CancellationToken cancel)
    {
        const string says = "Listening on ";
        var child = ChildProgram.Start(Programs.Sandbox, ["--port", "0"], new Dictionary<string, string>());
        _children.Add(child);
        _sandbox = await child.HearAsync(
            line => line.StartsWith(says, StringComparison.Ordinal) ? new Uri(line[says.Length..]) : null, cancel);
        foreach (var provider in new[] { "Google", "Apple", "Facebook" })
        {
            _settings[$"Identity__Providers__{provider}__Authority"] = $"{_sandbox}{provider.ToLowerInvariant()}";
            _settings[$"Identity__Providers__{provider}__ClientIds__0"] = "voting-sandbox";
        }
    }

    private async Task<bool> IsReadyAsync(HostProgram host, CancellationToken cancel)
    {
        using var answer = await _http.GetAsync(new Uri(host.Management, "/health/ready"), cancel);
        return answer.IsSuccessStatusCode;
    }

    private async Task<string> SendAsync(
        HttpMethod method, Uri to, string? token, string? body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, to);
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await _http.SendAsync(request, cancel);
        var text = await answer.Content.ReadAsStringAsync(cancel);
        return answer.IsSuccessStatusCode
            ? text
            : throw new BrokenOffException($"{method} {to.AbsolutePath} is answered {answer.StatusCode}: {text}");
    }
}

/// <summary>A <c>voting-host</c> that listens.</summary>
internal sealed record HostProgram(ChildProgram Process, Uri Public, Uri Internal, Uri Management)
{
    /// <summary>Reads the one log line that says where it listens; null for every other line.</summary>
    public static HostProgram? Read(ChildProgram process, string line)
    {
        if (!line.StartsWith('{') || !line.Contains("managementPort", StringComparison.Ordinal)) return null;
        var json = JsonNode.Parse(line)!;
        return new(process, Address("publicPort"), Address("internalPort"), Address("managementPort"));

        // Without such a listener there is an address that nobody asks.
        Uri Address(string name) => new($"http://127.0.0.1:{json[name]?.ToString() ?? "0"}");
    }
}

/// <summary>Where the programs lie that are measured.</summary>
internal static class Programs
{
    public static string Host => Variable("VOTING_HOST");

    public static string Sandbox => Variable("VOTING_SANDBOX");

    private static string Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } path && File.Exists(path)
            ? path
            : throw new MisuseException($"{name} names no program: run ./voting bench, which sets it.");
}
