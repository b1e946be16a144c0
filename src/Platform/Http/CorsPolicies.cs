using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>
/// Any page may read what is public; the rest is for the configured origins; nothing internal is for any.
/// </summary>
internal sealed class CorsPolicies(IOptions<HttpOptions> options) : ICorsPolicyProvider
{
    private readonly CorsPolicy _reading = new CorsPolicyBuilder().AllowAnyOrigin().AllowAnyHeader().WithMethods("GET")
        .WithExposedHeaders("ETag", "Retry-After", "X-Request-Id").SetPreflightMaxAge(TimeSpan.FromHours(1)).Build();

    private readonly CorsPolicy _everything = new CorsPolicyBuilder().WithOrigins(options.Value.AllowedOrigins)
        .AllowAnyHeader().WithMethods("GET", "POST", "PUT", "DELETE").AllowCredentials()
        .WithExposedHeaders("ETag", "Location", "Retry-After", "X-Request-Id", "RateLimit", "RateLimit-Policy")
        .SetPreflightMaxAge(TimeSpan.FromHours(1)).Build();

    private readonly HashSet<string> _origins = [.. options.Value.AllowedOrigins];

    public Task<CorsPolicy?> GetPolicyAsync(HttpContext context, string? policyName)
    {
        if (context.Features.Get<ListenerFeature>() is not { Listener: Listener.Public })
            return Task.FromResult<CorsPolicy?>(null);
        if (_origins.Contains(context.Request.Headers.Origin.ToString()))
            return Task.FromResult<CorsPolicy?>(_everything);

        var method = HttpMethods.IsOptions(context.Request.Method)
            ? context.Request.Headers.AccessControlRequestMethod.ToString() : context.Request.Method;
        return Task.FromResult(HttpMethods.IsGet(method) ? _reading : null);
    }
}
