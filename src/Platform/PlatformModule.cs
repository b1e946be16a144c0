using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Platform;

/// <summary>What every process has, whatever its roles. Only the host calls it.</summary>
public static class PlatformModule
{
    /// <summary>Keys and the PostgreSQL log, in schema <c>platform</c>.</summary>
    public static MigrationSet Migrations { get; } = new("platform", typeof(PlatformModule).Assembly);

    /// <summary>
    /// Registers settings, logs, HTTP, shards, keys, tokens, the event log, the outboxes' relay and Redis.
    /// </summary>
    public static void AddPlatform(this WebApplicationBuilder builder, Role roles)
    {
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddTelemetry(new ProcessRoles(roles));
        services.AddSettings<DatabaseOptions>("Database");
        services.AddSettings<ShardOptions>("Shards");
        services.AddSingleton<ShardMap>();
        services.AddKeys();
        services.AddTokens();
        services.AddEventLog(roles);
        services.AddOutboxRelay(roles);
        services.AddRedis(builder.Configuration);
        builder.AddPlatformHttp(roles);
    }
}
