using System.Reflection;
using Audit;
using Backoffice;
using Identity;
using Platform;
using Results;
using Voting;

namespace Host;

/// <summary>The one place that says what a process consists of. No behaviour of its own.</summary>
internal static class Composition
{
    /// <summary>In the order of their migrations.</summary>
    public static readonly MigrationSet[] Migrations =
    [
        PlatformModule.Migrations, IdentityModule.Migrations, VotingModule.Migrations,
        ResultsModule.Migrations, AuditModule.Migrations, BackofficeModule.Migrations,
    ];

    /// <returns>An application with everything that the roles need, its settings checked.</returns>
    /// <exception cref="InvalidSettingsException">A setting is wrong; says which and what to set.</exception>
    public static WebApplication Build(Role roles, SettingsSources sources)
    {
        var builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        Configure(builder.Configuration, sources);
        builder.Logging.ClearProviders();
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.AddPlatform(roles);
        builder.Services.AddMediator(options => options.ServiceLifetime = ServiceLifetime.Singleton);
        builder.Services.AddApiDescriptions();
        builder.AddIdentity(roles);
        builder.AddVoting(roles);
        builder.AddResults(roles);
        builder.AddAudit(roles);
        builder.AddBackoffice(roles);

        var app = Settings.Explained(builder.Services, builder.Build);
        Settings.Check(app.Services);
        return app;
    }

    /// <returns>What the verb <c>verify</c> needs, and nothing more: no database, no keys, no log.</returns>
    /// <exception cref="InvalidSettingsException">A setting of the archive is wrong.</exception>
    public static IHost BuildVerification(SettingsSources sources)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(
            new() { ContentRootPath = AppContext.BaseDirectory });
        Configure(builder.Configuration, sources);
        builder.AddVerification();
        var host = Settings.Explained(builder.Services, builder.Build);
        Settings.Check(host.Services);
        return host;
    }

    private static void Configure(ConfigurationManager configuration, SettingsSources sources)
    {
        ((IConfigurationBuilder)configuration).Sources.Clear();
        configuration.AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true);
        if (sources.File is { } file) AddFile(configuration, file);
        configuration.AddEnvironmentVariables();
        configuration.AddCommandLine(sources.Arguments);
    }

    private static void AddFile(ConfigurationManager configuration, FileInfo file)
    {
        try
        {
            configuration.AddJsonFile(file.FullName, optional: false);
        }
        catch (InvalidDataException)
        {
            throw new InvalidSettingsException($"The settings file {file.FullName} is not JSON.");
        }
    }

    /// <summary>Middleware and endpoints.</summary>
    public static void Map(WebApplication app, Role roles)
    {
        app.UsePlatformHttp();
        app.MapManagement();
        app.MapApiDescriptions();
        app.MapIdentity(roles);
        app.MapVoting(roles);
        app.MapResults(roles);
        app.MapAudit(roles);
        app.MapBackoffice(roles);
    }

    /// <summary>The version that the process names itself by.</summary>
    public static string Version =>
        typeof(Composition).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
