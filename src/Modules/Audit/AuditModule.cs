using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Platform;

namespace Audit;

/// <summary>Archive, transparency logs and proofs. The module's one entry: only the host calls it.</summary>
public static partial class AuditModule
{
    /// <summary>Nothing yet that would be stored.</summary>
    public static MigrationSet Migrations { get; } = new("audit", typeof(AuditModule).Assembly);

    /// <summary>Registers settings and services, and the loops of the roles.</summary>
    public static void AddAudit(this IHostApplicationBuilder host, Role roles)
    {
        host.Services.AddArchive(roles);
    }

    /// <summary>Maps the endpoints of the roles: none so far, which a process of this role alone says.</summary>
    public static void MapAudit(this IEndpointRouteBuilder endpoints, Role roles)
    {
        if (roles is Role.Audit)
            Idle(endpoints.ServiceProvider.GetRequiredService<ILoggerFactory>().CreateLogger("Audit"));
    }

    [LoggerMessage(LogLevel.Information, "The audit role does nothing in this version")]
    private static partial void Idle(ILogger logger);
}
