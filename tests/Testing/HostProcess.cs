using System.Text.Json;

namespace Testing;

/// <summary>One running <c>voting-host</c>, with clients for the listeners that it opened.</summary>
public sealed class HostProcess : IAsyncDisposable
{
    // Generous: two cores may be starting several processes at once.
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(90);

    private readonly ChildProcess _process;
    private readonly HttpClient? _public;
    private readonly HttpClient? _internal;

    private HostProcess(string roles, ChildProcess process, Ports ports)
    {
        Roles = roles;
        _process = process;
        _public = Client(ports.Public);
        _internal = Client(ports.Internal);
        Management = Client(ports.Management)!;
    }

    /// <summary>What it was started as, such as <c>api,consumer</c>.</summary>
    public string Roles { get; }

    /// <summary>The process id.</summary>
    public int Id => _process.Id;

    /// <summary>True once it has ended, whyever.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>True if its roles have a public listener.</summary>
    public bool IsPublic => _public is not null;

    /// <summary>True if its roles have an internal listener.</summary>
    public bool IsInternal => _internal is not null;

    /// <summary>A client of the public listener. Redirects are not followed, no cookie is kept.</summary>
    /// <exception cref="InvalidOperationException">Its roles open none.</exception>
    public HttpClient Public => _public ?? throw new InvalidOperationException($"{Roles} has no public listener.");

    /// <summary>A client of the internal listener.</summary>
    /// <exception cref="InvalidOperationException">Its roles open none.</exception>
    public HttpClient Internal =>
        _internal ?? throw new InvalidOperationException($"{Roles} has no internal listener.");

    /// <summary>A client of the management listener, which every role has.</summary>
    public HttpClient Management { get; }

    /// <summary>The last lines of both outputs, for a report of a failure.</summary>
    public string LastOutput => _process.LastOutput;

    /// <summary>What it wrote to both outputs, oldest first; the newest 5,000 lines.</summary>
    public IReadOnlyList<string> Lines => _process.Lines;

    /// <summary>Starts it on free ports and waits until it says that it is ready.</summary>
    /// <param name="openFilesMax">How many files it may have open; null: as many as this process.</param>
    /// <exception cref="ProcessFailedException">It ended or was not ready in time; holds its last output.</exception>
    internal static async Task<HostProcess> StartAsync(
        string roles, IReadOnlyDictionary<string, string> settings, int? openFilesMax, CancellationToken cancel)
    {
        var (program, arguments) = Programs.HostWith(openFilesMax, ["--role", roles]);
        var process = ChildProcess.Start($"voting-host --role {roles}", program, arguments, settings);
        try
        {
            var ports = await process.WaitForLineAsync(ReadPorts, StartTimeout, cancel);
            var host = new HostProcess(roles, process, ports);
            await host.WaitUntilReadyAsync(cancel);
            return host;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends it at once, as a power cut would: SIGKILL. Returns when it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Send(Signal.Kill);
        await _process.WaitForExitAsync(CancellationToken.None);
    }

    /// <summary>Asks it to end in order: SIGTERM.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> TerminateAsync(CancellationToken cancel)
    {
        _process.Send(Signal.Terminate);
        return await _process.WaitForExitAsync(cancel);
    }

    /// <summary>
    /// Holds it where it is, connections and locks included: SIGSTOP. Returns when every thread of it stands still,
    /// which on a busy machine is a while after the signal.
    /// </summary>
    public async Task PauseAsync()
    {
        _process.Send(Signal.Stop);
        while (!Directory.GetDirectories($"/proc/{Id}/task").All(IsStopped)) await Task.Delay(5);

        // The state is the first letter behind the name, which stands in brackets and may hold any character.
        static bool IsStopped(string thread) =>
            !File.Exists($"{thread}/stat") || File.ReadAllText($"{thread}/stat").Split(") ")[^1].StartsWith('T');
    }

    /// <summary>Lets it go on: SIGCONT.</summary>
    public void Resume() => _process.Send(Signal.Continue);

    /// <summary>Waits until it has ended by itself.</summary>
    /// <returns>Its exit code; 128 + the signal's number if a signal ended it.</returns>
    public Task<int> WaitForExitAsync(CancellationToken cancel) => _process.WaitForExitAsync(cancel);

    /// <summary>Waits until <c>/health/ready</c> answers 200.</summary>
    /// <exception cref="ProcessFailedException">It ended or was not ready in time; holds its last output.</exception>
    public async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(StartTimeout);
        var last = "nothing";
        try
        {
            while (true)
            {
                if (HasExited) throw _process.Failed("ended before it was ready");
                try
                {
                    using var answer = await Management.GetAsync("/health/ready", deadline.Token);
                    if (answer.IsSuccessStatusCode) return;
                    last = $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(deadline.Token)}";
                }
                catch (HttpRequestException e)
                {
                    last = e.Message;
                }

                await Task.Delay(50, deadline.Token);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw _process.Failed($"was not ready within {StartTimeout.TotalSeconds:0} s; it answered {last}");
        }
    }

    /// <summary>Kills it if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        _public?.Dispose();
        _internal?.Dispose();
        Management.Dispose();
        await _process.DisposeAsync();
    }

    /// <summary>The one log line that says where it listens; null for every other line.</summary>
    private static Ports? ReadPorts(string line)
    {
        if (!line.StartsWith('{') || !line.Contains("Listening", StringComparison.Ordinal)) return null;
        using var json = JsonDocument.Parse(line);
        var root = json.RootElement;
        return root.GetProperty("message").GetString()!.StartsWith("Listening", StringComparison.Ordinal)
            && root.TryGetProperty("managementPort", out _)
            ? new(Port("publicPort"), Port("internalPort"), Port("managementPort"))
            : null;

        int? Port(string name) =>
            root.TryGetProperty(name, out var port) && port.ValueKind == JsonValueKind.Number ? port.GetInt32() : null;
    }

    private static HttpClient? Client(int? port) => port is null
        ? null
        : new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false })
        {
            BaseAddress = new($"http://127.0.0.1:{port}"),
        };

    private sealed record Ports(int? Public, int? Internal, int? Management);
}
