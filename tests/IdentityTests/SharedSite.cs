using Testing;

namespace IdentityTests;

/// <summary>One process for the tests of a class that neither move its clock nor alter its provider.</summary>
public sealed class SharedSite(Postgres postgres) : IAsyncLifetime
{
    internal Site Site { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Site = await Site.StartAsync(postgres);

    public ValueTask DisposeAsync() => Site.DisposeAsync();
}
