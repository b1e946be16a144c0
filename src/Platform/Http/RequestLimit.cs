using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>
/// Turns requests away at once while too many are under way: answers that come too late help nobody, and what waits
/// takes memory. Endpoints that are <see cref="RequestLimits.Lasting{T}"/> have limits of their own.
/// </summary>
internal sealed class RequestLimit(RequestDelegate next, IOptions<HttpOptions> options)
{
    private readonly int _countMax = options.Value.RequestCountMax;
    private int _count;

    public Task InvokeAsync(HttpContext context) =>
        // Health must be told even then, and staff must be able to look.
        context.Features.Get<ListenerFeature>() is { Listener: Listener.Public } && !context.IsLasting()
            ? CountAsync(context)
            : next(context);

    private async Task CountAsync(HttpContext context)
    {
        try
        {
            if (Interlocked.Increment(ref _count) <= _countMax) await next(context);
            else await Problem.Overloaded.WriteAsync(context, "Too many requests are under way; try again.");
        }
        finally
        {
            Interlocked.Decrement(ref _count);
        }
    }
}

/// <summary>Marks endpoints for <see cref="RequestLimit"/>.</summary>
public static class RequestLimits
{
    /// <summary>Says that a request of it lasts for hours, and is no sign of overload; it is for anybody.</summary>
    public static T Lasting<T>(this T endpoint)
        where T : IEndpointConventionBuilder
        => endpoint.WithMetadata(new LastingRequest());

    /// <returns>Whether the request's endpoint is <see cref="Lasting"/>.</returns>
    internal static bool IsLasting(this HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<LastingRequest>() is not null;
}

internal sealed class LastingRequest;
