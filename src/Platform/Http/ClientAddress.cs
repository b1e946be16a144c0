using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Platform;

/// <summary>
/// Makes the connection's address that of the client, where proxies stand before the public listener that are trusted
/// to say it.
/// </summary>
internal sealed class ClientAddress(RequestDelegate next, IOptions<HttpOptions> options)
{
    private readonly IPNetwork[] _proxies = [.. options.Value.TrustedProxies.Select(IPNetwork.Parse)];

    public Task InvokeAsync(HttpContext context)
    {
        if (_proxies.Length > 0 && context.Features.Get<ListenerFeature>() is { Listener: Listener.Public }
            && context.Connection.RemoteIpAddress is { } peer)
        {
            context.Connection.RemoteIpAddress = Of(peer, context.Request.Headers["X-Forwarded-For"], _proxies);
        }

        return next(context);
    }

    /// <summary>
    /// Each proxy writes behind what it was sent, so the header is true from the right for as long as the one who
    /// wrote is trusted. What stands left of that, anybody can have written.
    /// </summary>
    internal static IPAddress Of(IPAddress peer, StringValues forwarded, IPNetwork[] proxies)
    {
        var client = Plain(peer);
        for (var line = forwarded.Count - 1; line >= 0; line--)
        {
            var rest = forwarded[line].AsSpan();
            while (!rest.IsEmpty)
            {
                if (!IsProxy(client, proxies)) return client;
                var comma = rest.LastIndexOf(',');
                if (!IPEndPoint.TryParse(rest[(comma + 1)..].Trim(), out var before)) return client;
                client = Plain(before.Address);
                rest = comma < 0 ? default : rest[..comma];
            }
        }

        return client;
    }

    private static bool IsProxy(IPAddress address, IPNetwork[] proxies) =>
        Array.Exists(proxies, network => network.Contains(address));

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
