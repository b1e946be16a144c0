using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Sandbox;

/// <summary>Where the sandbox listens: known only once it does, because port 0 takes any free one.</summary>
internal sealed class Address(IServer server)
{
    /// <summary>No slash at the end. What every issuer here starts with, however a caller spelt the host.</summary>
    public string Base => server.Features.Get<IServerAddressesFeature>()!.Addresses.First().TrimEnd('/');

    /// <summary>The sandbox signs anybody in who asks, so it has nothing to do with a remote platform.</summary>
    public static bool IsLocal(string address, [NotNullWhen(true)] out Uri? uri) =>
        Uri.TryCreate(address, UriKind.Absolute, out uri) && uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback;
}
