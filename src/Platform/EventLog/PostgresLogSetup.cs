using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Platform;

/// <summary>Registers the event log in PostgreSQL.</summary>
public static class PostgresLogSetup
{
    /// <summary>
    /// Adds <see cref="IEventLog"/> (and <see cref="PostgresLog"/>, whose topics the verb <c>migrate</c> creates) and
    /// the loops behind it. Call it before other hosted services are added: it must stop after them.
    /// </summary>
    public static IServiceCollection AddPostgresLog(this IServiceCollection services)
    {
        services.AddSettings<PostgresLogOptions>("Log:Postgres");
        services.AddSingleton<PostgresLog>();
        services.AddSingleton<IEventLog>(provider => provider.GetRequiredService<PostgresLog>());
        services.AddHostedService<PostgresLogLoops>();
        return services;
    }
}

/// <summary>
/// Runs the log's loops with the host. A fault ends the process: see the host's treatment of failed loops.
/// </summary>
internal sealed class PostgresLogLoops(IServiceProvider services) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        services.GetRequiredService<PostgresLog>().RunAsync(stoppingToken);
}
