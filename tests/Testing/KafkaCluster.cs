namespace Testing;

/// <summary>
/// Kafka for tests. Use it so: <c>[assembly: AssemblyFixture(typeof(KafkaCluster))]</c>.
/// </summary>
/// <remarks>
/// The brokers are those that <c>VOTING_TEST_KAFKA</c> names, else the client library's mock cluster in a process of
/// its own, which is started at the first need. Tests share it: each gives its topics and groups a prefix of its own.
/// </remarks>
public sealed class KafkaCluster : IAsyncDisposable
{
    private const int MockBrokers = 3;

    // Generous: two cores may be starting several processes at once.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string? Named =
        Environment.GetEnvironmentVariable("VOTING_TEST_KAFKA") is { Length: > 0 } brokers ? brokers : null;

    private readonly SemaphoreSlim _one = new(1);
    private ChildProcess? _process;
    private string? _bootstraps;

    /// <summary>Whether there are no real brokers: no topics by admin client, no settings, nothing kept.</summary>
    public static bool IsMock => Named is null;

    /// <summary>Copies of a topic that there are brokers for.</summary>
    public static int Replication => 1;

    /// <returns>A prefix that no other test has.</returns>
    public static string NewPrefix() => $"t{Guid.NewGuid():N}."[..20];

    /// <returns><c>host:port</c> of brokers, separated by commas.</returns>
    public async Task<string> BootstrapsAsync(CancellationToken cancel = default)
    {
        if (Named is not null) return Named;
        await _one.WaitAsync(cancel);
        try
        {
            return _bootstraps ??= await StartAsync(cancel);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Creates a topic of the mock cluster, which cannot be asked to in any other way.</summary>
    public Task CreateTopicAsync(string name, int partitions, CancellationToken cancel = default) =>
        DoAsync($"topic {name} {partitions}", cancel);

    /// <summary>Tells the mock cluster what to do; see the usage of <c>voting-kafka-mock</c>.</summary>
    /// <exception cref="InvalidOperationException">It would not, or there is none.</exception>
    public async Task DoAsync(string line, CancellationToken cancel = default)
    {
        await BootstrapsAsync(cancel);
        if (_process is null) throw new InvalidOperationException("Real brokers cannot be told what to do.");
        await _one.WaitAsync(cancel);
        try
        {
            await _process.SayAsync(line);
            var said = await _process.WaitForLineAsync(answer => answer, Patience, cancel);
            if (said != "ok") throw new InvalidOperationException($"{line}: {said}");
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Ends the mock cluster.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _one.Dispose();
    }

    private async Task<string> StartAsync(CancellationToken cancel)
    {
        const string says = "Listening on ";
        _process = ChildProcess.Start(
            "voting-kafka-mock", Programs.KafkaMock, ["--brokers", $"{MockBrokers}"], new Dictionary<string, string>());
        return await _process.WaitForLineAsync(
            line => line.StartsWith(says, StringComparison.Ordinal) ? line[says.Length..] : null, Patience, cancel);
    }
}
