using Mediator;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Platform;
using Voting.Contracts;

namespace Results;

/// <summary>The module's one entry: only the host calls it.</summary>
public static class ResultsModule
{
    private const Role Showing = Role.Api | Role.Sse | Role.Backoffice;

    /// <summary>The module owns no table: what it shows is Voting's.</summary>
    public static MigrationSet Migrations { get; } = new("results", typeof(ResultsModule).Assembly);

    /// <summary>Registers the settings, and what the roles need.</summary>
    public static void AddResults(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        services.AddSettings<ResultsOptions>("Results");
        if ((roles & Showing) is Role.None) return;

        services.AddMeter(ResultsMetrics.MeterName);
        services.AddSingleton<ResultsMetrics>();
        services.AddSingleton(provider =>
        {
            var voting = provider.GetRequiredService<ISender>();
            return new VotingReads(
                (id, cancel) => voting.Send(new ReadPublicSurvey(id), cancel),
                (id, cancel) => voting.Send(new ReadTallies(id), cancel));
        });
        services.AddSingleton<Boards>();
        services.AddSingleton<StreamResults>();
        services.AddHealthChecks().AddCheck<TalliesAreFollowed>("tallies");
        services.AddHostedService<FollowTallies>();
        services.AddHostedService<ShowFrames>();
    }

    /// <summary>Maps the endpoints of the roles.</summary>
    public static void MapResults(this IEndpointRouteBuilder endpoints, Role roles)
    {
        if (roles.HasFlag(Role.Api)) endpoints.MapReadResults();
        if (roles.HasFlag(Role.Sse)) endpoints.MapStreamResults();
        if (roles.HasFlag(Role.Backoffice)) endpoints.MapReadResultsAsStaff();
    }
}
