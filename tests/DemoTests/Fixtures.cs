using DemoTests;
using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]
[assembly: AssemblyFixture(typeof(RunningPlatform))]

namespace DemoTests;

/// <summary>One installation for all tests, as <c>./voting up</c> starts it: one process in every role.</summary>
public sealed class RunningPlatform(Postgres postgres) : IAsyncLifetime
{
    private Installation? _installation;

    public Installation Installation => _installation!;

    public async ValueTask InitializeAsync() => _installation = await Installation.StartAsync(postgres, ["all"]);

    public async ValueTask DisposeAsync()
    {
        if (_installation is not null) await _installation.DisposeAsync();
    }
}
