using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>
/// Turns requests away at once while too many are under way: answers that come too late help nobody, and what waits
/// takes memory. A stream of results is no request under way once it has begun: it has limits of its own.
/// </summary>
internal sealed class RequestLimit(RequestDelegate next, IOptions<HttpOptions> options)
{
    private readonly int _countMax = options.Value.RequestCountMax;
    private int _count;

    public Task InvokeAsync(HttpContext context) =>
        // Health must be told even then, and staff must be able to look.
        context.Features.Get<ListenerFeature>() is { Listener: Listener.Public }
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
