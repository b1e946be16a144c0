using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Platform;

/// <summary>Which of a module's schemas have an outbox.</summary>
[Flags]
public enum OutboxPlaces
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The one in the control database.</summary>
    Control = 1,

    /// <summary>Those in the shards; each also has the table <c>shard</c> with its epoch.</summary>
    Shards = 2,
}

/// <summary>Registers outboxes and their relay.</summary>
public static class OutboxSetup
{
    /// <summary>Says that a module's schemas have tables <c>outbox</c>, which role <c>consumer</c> relays.</summary>
    /// <typeparam name="TDatabase">The module's, registered as itself.</typeparam>
    public static void AddOutbox<TDatabase>(this IServiceCollection services, OutboxPlaces places)
        where TDatabase : ModuleDatabase
    {
        services.AddEventStamps();
        services.AddSingleton(provider => new ModuleOutboxes(provider.GetRequiredService<TDatabase>(), places));
    }

    /// <summary>Adds <see cref="EventStamps"/>.</summary>
    public static void AddEventStamps(this IServiceCollection services)
    {
        services.TryAddSingleton(_ => RandomNumberGenerator.Create());
        services.TryAddSingleton<EventStamps>();
    }

    /// <summary>Adds the topic, and the relay in role <c>consumer</c>: it stops before what the log runs.</summary>
    internal static void AddOutboxRelay(this IServiceCollection services, Role roles)
    {
        services.AddSettings<OutboxOptions>("Outbox");
        services.AddSingleton(Outbox.Topic);
        if (!roles.HasFlag(Role.Consumer)) return;
        services.AddSingleton<OutboxMetrics>();
        services.AddHostedService<RelayOutboxes>();
    }
}

/// <summary>The outboxes of one module.</summary>
internal sealed record ModuleOutboxes(ModuleDatabase Database, OutboxPlaces Places);
