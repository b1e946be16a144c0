using Mediator;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Platform;

namespace Audit;

/// <summary>Registers what reads the archive: logs and proofs, search, witnesses, statements of results.</summary>
internal static class ReadingSetup
{
    /// <summary>Settings always; loops in role <see cref="Role.Audit"/> only.</summary>
    public static void AddReading(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        services.AddSettings<SearchOptions>("Audit:Search");
        services.AddSettings<WitnessOptions>("Audit:Witnessing");
        services.AddSettings<ResultOptions>("Audit:Results");
        services.AddSettings<ReconciliationOptions>("Audit:Reconciliation");
        services.AddSettings<VerificationOptions>("Audit:Verification");
        services.AddOutbox<AuditDatabase>(OutboxPlaces.Control);
        services.AddSingleton<ReadingMetrics>();
        services.AddSingleton<PublishedLogs>();
        services.AddSingleton<ProveVote>();
        services.AddSingleton<SearchEvents>();
        services.AddSingleton<TellSearches>();
        services.AddSingleton<EventBytes>();
        services.AddSingleton<ExportEvents>();
        if (!roles.HasFlag(Role.Audit)) return;
        services.AddSingleton<EventIndex>();
        services.AddHostedService<IndexEvents>();
        services.AddHostedService<StateResults>();
        services.AddSingleton<DifferenceMetrics>();
        services.AddSingleton<DifferenceTable>();
        services.AddSingleton(VotingRows);
        services.AddHostedService<ReconcileLogs>();
        services.AddSingleton<CheckpointCheck>();
        services.AddHostedService<VerifyCheckpoints>();
        // A loop that has nothing to do would end, and with it the process.
        if (!host.Configuration.GetSection("Audit:Witnesses").GetChildren().Any()) return;
        services.AddSingleton<WitnessLink>();
        services.AddHostedService<AskWitnesses>();
    }

    private static VotingRows VotingRows(IServiceProvider services)
    {
        var voting = services.GetRequiredService<ISender>();
        return new(
            (query, cancel) => voting.Send(query, cancel), (query, cancel) => voting.Send(query, cancel),
            (query, cancel) => voting.Send(query, cancel));
    }

    /// <summary>
    /// What is public in role <see cref="Role.Audit"/>, what auditors do in <see cref="Role.Backoffice"/>.
    /// </summary>
    public static void MapReading(this IEndpointRouteBuilder endpoints, Role roles)
    {
        if (roles.HasFlag(Role.Audit))
        {
            endpoints.MapReadLog();
            endpoints.MapProveVote();
            endpoints.MapReadStatement();
        }

        if (roles.HasFlag(Role.Backoffice)) endpoints.MapSearchEvents();
    }
}
