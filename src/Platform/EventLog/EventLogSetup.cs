using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Registers the event log.</summary>
internal static class EventLogSetup
{
    private const string Kafka = "kafka";

    /// <summary>
    /// Adds <see cref="IEventLog"/>, <see cref="ILogAdmin"/> and the loops behind them, of the log that the settings
    /// name. Call it before other hosted services are added: it must stop after them.
    /// </summary>
    public static void AddEventLog(this IServiceCollection services, Role roles)
    {
        services.AddSettings<LogOptions>("Log")
            .Validate<IOptions<KafkaLogOptions>>(
                (log, kafka) => roles is Role.All || log.Provider.Length > 0
                    || kafka.Value.BootstrapServers.Length > 0,
                "Set Log__Kafka__BootstrapServers, or Log__Provider to postgres: only role all runs on the embedded "
                + "default")
            .Validate<IOptions<KafkaLogOptions>>(
                (log, kafka) => log.Provider != Kafka || kafka.Value.BootstrapServers.Length > 0,
                "Log__Provider is kafka: set Log__Kafka__BootstrapServers");
        services.AddSettings<PostgresLogOptions>("Log:Postgres");
        services.AddSettings<KafkaLogOptions>("Log:Kafka");
        services.AddSingleton<PostgresLog>();
        services.AddSingleton<KafkaLog>();
        services.AddSingleton<IEventLog>(
            provider => IsKafka(provider) ? Of<KafkaLog>(provider) : Of<PostgresLog>(provider));
        services.AddSingleton<ILogAdmin>(
            provider => IsKafka(provider) ? Of<KafkaLog>(provider) : Of<PostgresLog>(provider));
        services.AddHostedService<EventLogLoops>();
    }

    /// <returns>Whether the log is Kafka: named, or not named and there are brokers.</returns>
    private static bool IsKafka(IServiceProvider provider) =>
        Of<IOptions<LogOptions>>(provider).Value.Provider switch
        {
            "" => Of<IOptions<KafkaLogOptions>>(provider).Value.BootstrapServers.Length > 0,
            var named => named == Kafka,
        };

    private static T Of<T>(IServiceProvider provider)
        where T : notnull => provider.GetRequiredService<T>();
}

/// <summary>
/// Runs the log's loops with the host. A fault ends the process: see the host's treatment of failed loops.
/// </summary>
internal sealed class EventLogLoops(ILogAdmin log) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => log.RunAsync(stoppingToken);
}
