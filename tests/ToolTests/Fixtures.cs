using Testing;
using ToolTests;

[assembly: AssemblyFixture(typeof(Postgres))]
[assembly: AssemblyFixture(typeof(RunningSandbox))]

namespace ToolTests;

/// <summary>One sandbox for all tests, on a port of its own.</summary>
public sealed class RunningSandbox : IAsyncLifetime
{
    private SandboxProcess? _process;

    public HttpClient Client => _process!.Client;

    public async ValueTask InitializeAsync() => _process = await SandboxProcess.StartAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
    }
}
