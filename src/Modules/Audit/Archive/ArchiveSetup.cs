using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Platform;

namespace Audit;

/// <summary>Registers the archive's store.</summary>
internal static partial class ArchiveSetup
{
    /// <summary>
    /// Adds the one <see cref="IArchiveStore"/> that the settings name, and its <see cref="IArchiveAdmin"/>.
    /// </summary>
    public static void AddArchive(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        var hasBucket = host.Configuration["Archive:S3:Bucket"] is { Length: > 0 };
        services.AddSettings<S3ArchiveOptions>("Archive:S3");
        services.AddSettings<ArchiveOptions>("Archive").Validate(
            options => roles is Role.All || !roles.HasFlag(Role.Audit) || hasBucket || options.Directory.Length > 0,
            "Set Archive__S3__Bucket, or Archive__Directory: only role all runs on the embedded default");
        if (hasBucket)
        {
            services.AddMeter(S3Link.MeterName);
            services.AddSingleton(provider => new S3Link(
                S3(provider), provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<IMeterFactory>()));
            services.AddSingleton<IArchiveStore>(provider => new S3Archive(
                provider.GetRequiredService<S3Link>(), S3(provider).RetentionDays,
                provider.GetRequiredService<TimeProvider>()));
            services.AddSingleton<IArchiveAdmin>(provider => new S3ArchiveAdmin(
                provider.GetRequiredService<S3Link>(), S3(provider).RetentionDays));
        }
        else
        {
            services.AddSingleton(Directory);
            services.AddSingleton<IArchiveStore>(provider => provider.GetRequiredService<DirectoryArchive>());
            services.AddSingleton<IArchiveAdmin, DirectoryArchiveAdmin>();
        }
    }

    /// <summary>
    /// Refuses a store that keeps nothing. One that does not answer is no reason not to start: the log keeps everything
    /// until it does.
    /// </summary>
    /// <exception cref="InvalidSettingsException">The settings name a store that cannot be an archive.</exception>
    public static async Task RequireArchiveAsync(IServiceProvider services, CancellationToken cancel)
    {
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Audit");
        if (services.GetService<DirectoryArchive>() is { } directory) NotWorm(logger, directory.Root);
        try
        {
            await services.GetRequiredService<IArchiveAdmin>().RequireAsync(cancel);
        }
        catch (ArchiveStoreException e) when (e.IsTransient)
        {
            NoAnswer(logger, e.Message);
        }
        catch (ArchiveStoreException e)
        {
            throw new InvalidSettingsException(e.Message);
        }
    }

    private static S3ArchiveOptions S3(IServiceProvider services) =>
        services.GetRequiredService<IOptions<S3ArchiveOptions>>().Value;

    private static DirectoryArchive Directory(IServiceProvider services)
    {
        var named = services.GetRequiredService<IOptions<ArchiveOptions>>().Value.Directory;
        return new(named.Length > 0 ? named : ArchiveOptions.EmbeddedDirectory);
    }

    [LoggerMessage(LogLevel.Warning,
        "The archive is the directory {Directory}, which is not WORM: whoever may write there can delete evidence")]
    private static partial void NotWorm(ILogger logger, string directory);

    [LoggerMessage(LogLevel.Warning, "Whether the archive keeps what is put there could not be asked: {Reason}")]
    private static partial void NoAnswer(ILogger logger, string reason);
}
