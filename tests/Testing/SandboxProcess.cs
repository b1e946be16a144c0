namespace Testing;

/// <summary>A running sandbox, the stand-in for the sign-in providers, on a free port.</summary>
public sealed class SandboxProcess : IAsyncDisposable
{
    // Generous: two cores may be starting several processes at once.
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    private readonly ChildProcess _process;

    private SandboxProcess(ChildProcess process, Uri address)
    {
        _process = process;
        Address = address;
        // Ten thousand voters take their time.
        Client = new(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromMinutes(10),
        };
    }

    /// <summary>Where it listens, with a slash at the end.</summary>
    public Uri Address { get; }

    /// <summary>A client whose base address is <see cref="Address"/>.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts it and waits until it listens.</summary>
    /// <exception cref="ProcessFailedException">It ended or did not listen in time; holds its last output.</exception>
    public static async Task<SandboxProcess> StartAsync(CancellationToken cancel)
    {
        var process = ChildProcess.Start(
            "voting-sandbox", Programs.Sandbox, ["--port", "0"], new Dictionary<string, string>());
        try
        {
            return new(process, await process.WaitForLineAsync(ReadAddress, StartTimeout, cancel));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills it.</summary>
    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _process.DisposeAsync();
    }

    private static Uri? ReadAddress(string line)
    {
        const string says = "Listening on ";
        return line.StartsWith(says, StringComparison.Ordinal) ? new(line[says.Length..]) : null;
    }
}
