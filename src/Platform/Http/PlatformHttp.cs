using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>The HTTP side that all roles share: listeners, conventions, health, metrics.</summary>
public static class PlatformHttp
{
    /// <summary>Listens for the roles' doors and registers the conventions.</summary>
    public static void AddPlatformHttp(this WebApplicationBuilder builder, Role roles)
    {
        var services = builder.Services;
        services.AddSettings<HttpOptions>("Http");
        services.AddSettings<LimitOptions>("Limits");
        services.AddSingleton<SharedLimits>();
        services.AddSingleton<OpenListeners>();
        services.AddSingleton<ICorsPolicyProvider, CorsPolicies>();
        services.AddCors();
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Problem.Complete);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, ListenerMatcherPolicy>());
        services.AddHealthChecks();
        services.AddOptions<HostOptions>().Configure<IOptions<HttpOptions>>(
            (host, http) => host.ShutdownTimeout = http.Value.DrainTimeout);
        // Streams are written by whoever wakes them: a dispatch each would only cost memory and time.
        if (roles is Role.Sse)
            services.Configure<SocketTransportOptions>(transport => transport.UnsafePreferInlineScheduling = true);
        // A log scope and a trace for each request would be held by each stream, and there is nothing else to trace.
        if (roles is Role.Sse)
            services.AddLogging(logs => logs.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None));
        var server = services.AddOptions<KestrelServerOptions>();
        server.Configure<IOptions<HttpOptions>, OpenListeners>((kestrel, http, open) =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = JsonBody.SizeBytesMax;
            kestrel.Limits.MaxConcurrentConnections = http.Value.ConnectionCount;
            kestrel.Limits.RequestHeadersTimeout = http.Value.RequestHeadTimeout;
            // What a slow reader of live results has not taken yet must not pile up here: it skips to the newest state.
            kestrel.Limits.MaxResponseBufferSize = 8 * 1024;
            // A body and what may come with it: what a connection has sent and nobody has read yet is held for it.
            kestrel.Limits.MaxRequestBufferSize = 2 * JsonBody.SizeBytesMax;
            // A slow upload holds a connection and nothing else, and not for long: 64 KiB at 240 B/s is our limit.
            kestrel.Limits.MinRequestBodyDataRate = new(240, TimeSpan.FromSeconds(5));
            if ((roles & (Role.Api | Role.Sse | Role.Audit)) is not Role.None)
                Listen(Listener.Public, http.Value.PublicPort);
            if (roles.HasFlag(Role.Backoffice)) Listen(Listener.Internal, http.Value.InternalPort);
            Listen(Listener.Management, http.Value.ManagementPort);

            void Listen(Listener listener, int port)
            {
                var feature = new ListenerFeature(listener);
                kestrel.Listen(IPAddress.Parse(http.Value.Address), port, endpoint =>
                {
                    endpoint.Use(inner => connection =>
                    {
                        connection.Features.Set(feature);
                        return inner(connection);
                    });
                    if (listener is Listener.Public && roles.HasFlag(Role.Sse)) KeptConnection.AllowOn(endpoint);
                    open.Add(listener, endpoint);
                });
            }
        });
    }

    /// <summary>The middleware that every request passes, in its order.</summary>
    public static void UsePlatformHttp(this WebApplication app)
    {
        app.UseMiddleware<RequestFailures>();
        app.UseMiddleware<ClientAddress>();
        app.UseMiddleware<AddressLimit>();
        app.UseRouting();
        app.Use(VaryByOrigin);
        app.UseCors();
        app.UseMiddleware<AwaitBody>();
        app.UseMiddleware<RequestLimit>();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseMiddleware<VoterLimit>();
    }

    // What a cache has got for one page, or for no page, is not what another page may read.
    private static Task VaryByOrigin(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<ListenerFeature>() is { Listener: Listener.Public })
            context.Response.Headers.Append("Vary", "Origin");
        return next(context);
    }

    /// <summary>Health and metrics, on the management listener.</summary>
    public static void MapManagement(this IEndpointRouteBuilder endpoints)
    {
        var management = endpoints.MapGroup("").OnListener(Listener.Management).AllowAnonymous();
        management.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false });
        management.MapHealthChecks("/health/ready");
        management.MapHealthChecks("/health/startup");
        management.MapPrometheusScrapingEndpoint();
    }

    /// <summary>Registers a condition that must hold before the process is given requests.</summary>
    public static void AddReadiness(
        this IServiceCollection services, string name, Func<IServiceProvider, bool> ready) => services
        .AddHealthChecks()
        .Add(new HealthCheckRegistration(name, provider => new Readiness(provider, ready), null, null));

    private sealed class Readiness(IServiceProvider services, Func<IServiceProvider, bool> ready) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(ready(services) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
    }
}

/// <summary>The listeners that the process has opened. Their ports are real once the server has started.</summary>
public sealed class OpenListeners
{
    private readonly Dictionary<Listener, ListenOptions> _open = [];

    /// <returns>The port, or null when the roles have no such listener.</returns>
    public int? Port(Listener listener) =>
        _open.TryGetValue(listener, out var options) ? options.IPEndPoint?.Port : null;

    internal void Add(Listener listener, ListenOptions options) => _open[listener] = options;
}
