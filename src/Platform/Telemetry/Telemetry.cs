using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Platform;

/// <summary>The roles of this process.</summary>
/// <param name="Roles">At least one.</param>
public sealed record ProcessRoles(Role Roles)
{
    /// <summary>The service's name in logs, metrics and traces, such as <c>voting-host/api</c>.</summary>
    public string Service { get; } = "voting-host/" + (Roles == Role.All
        ? "all"
        : Roles.ToString().ToLowerInvariant().Replace(", ", "+", StringComparison.Ordinal));
}

/// <summary>Logs and metrics.</summary>
public static class Telemetry
{
    /// <summary>Meters that are published whatever the modules are.</summary>
    /// <remarks>Of the server's own those alone that tell rate, errors and duration of each endpoint, and its
    /// connections: every other one would be added to on the path of every vote.</remarks>
    private static readonly string[] Meters =
        ["Platform", "Npgsql", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel"];

    /// <summary>JSON logs on standard output, and metrics for the management listener.</summary>
    public static void AddTelemetry(this IServiceCollection services, ProcessRoles roles)
    {
        services.AddSingleton(roles);
        services.AddSettings<ServiceOptions>("Service");
        services.AddLogging(logging => logging
            .AddConsoleFormatter<JsonLogFormatter, ConsoleFormatterOptions>()
            .AddConsole(options => options.FormatterName = JsonLogFormatter.FormatterName));
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(roles.Service))
            .WithMetrics(metrics => metrics
                .AddMeter(Meters)
                .AddRuntimeInstrumentation()
                .AddPrometheusExporter());
    }

    /// <summary>Publishes what a module's meter of that name measures.</summary>
    public static void AddMeter(this IServiceCollection services, string name) =>
        services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(name));
}
