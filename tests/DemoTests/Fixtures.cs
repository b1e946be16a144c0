using DemoTests;
using Testing;

[assembly: AssemblyFixture(typeof(RunningPlatform))]

namespace DemoTests;

/// <summary>One installation for all tests, as <c>./voting up</c> starts it: one process in every role.</summary>
public sealed class RunningPlatform : IAsyncLifetime
{
    private Installation? _installation;

    /// <summary>Where installations get their databases.</summary>
    public Postgres Postgres { get; } = new();

    /// <summary>The one that tests share.</summary>
    public Installation Installation => _installation!;

    public async ValueTask InitializeAsync() => _installation = await Installation.StartAsync(Postgres, ["all"]);

    public async ValueTask DisposeAsync()
    {
        if (_installation is not null) await _installation.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}
