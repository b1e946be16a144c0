namespace Testing;

/// <summary>A running witness of transparency logs, on a free port.</summary>
public sealed class WitnessProcess : IAsyncDisposable
{
    // Generous: two cores may be starting several processes at once.
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    private readonly ChildProcess _process;

    private WitnessProcess(ChildProcess process, string verifierKey, Uri address)
    {
        (_process, VerifierKey, Address) = (process, verifierKey, address);
        Client = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address };
    }

    /// <summary>What it signs with, as logs are told it.</summary>
    public string VerifierKey { get; }

    /// <summary>Where it listens, with a slash at the end.</summary>
    public Uri Address { get; }

    /// <summary>A client whose base address is <see cref="Address"/>.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts it and waits until it listens.</summary>
    /// <param name="directory">Keeps its key and what it has signed: it may be started on it again.</param>
    /// <param name="name">The name that it signs with.</param>
    /// <param name="logs">The verifier keys of the logs that it watches; at least one.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="ProcessFailedException">It ended or did not listen in time; holds its last output.</exception>
    public static async Task<WitnessProcess> StartAsync(
        string directory, string name, IEnumerable<string> logs, CancellationToken cancel)
    {
        string[] arguments =
        [
            "--port", "0", "--name", name, "--key", Path.Combine(directory, "key"),
            "--state", Path.Combine(directory, "state"), .. logs.SelectMany(log => new[] { "--log", log }),
        ];
        var process = ChildProcess.Start(
            "voting-witness", Programs.Witness, arguments, new Dictionary<string, string>());
        try
        {
            var key = await process.WaitForLineAsync(line => line, StartTimeout, cancel);
            const string says = "Listening on ";
            var address = await process.WaitForLineAsync(
                line => line.StartsWith(says, StringComparison.Ordinal) ? line[says.Length..] : null, StartTimeout,
                cancel);
            return new(process, key, new(address));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills it, at whatever it is doing.</summary>
    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _process.DisposeAsync();
    }
}
