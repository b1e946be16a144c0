using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Platform;

namespace Voting;

/// <summary>The surveys' part of the module.</summary>
internal static class SurveySetup
{
    /// <summary>Adds the directory, which every process keeps, and what staff's orders need.</summary>
    /// <remarks>Needs the database, the shard map, the keys and the clock.</remarks>
    public static void AddSurveys(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        services.AddSettings<SurveyDirectoryOptions>("Voting:Surveys");
        services.TryAddSingleton<VotingDatabase>();
        services.TryAddSingleton(_ => RandomNumberGenerator.Create());
        services.AddEventStamps();
        services.AddSingleton<WriteSurvey>();
        services.AddSingleton<PublishSurvey>();
        services.AddSingleton<SurveyDirectory>();
        services.AddHostedService(provider => provider.GetRequiredService<SurveyDirectory>());
        if (roles.HasFlag(Role.Consumer)) services.AddHostedService<RunSchedule>();
    }
}
