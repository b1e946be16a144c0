using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Platform;

namespace Audit;

/// <summary>Registers the archive's store.</summary>
internal static partial class ArchiveSetup
{
    /// <summary>Adds the one <see cref="IArchiveStore"/> that the settings name.</summary>
    public static void AddArchive(this IServiceCollection services, Role roles)
    {
        services.AddSettings<ArchiveOptions>("Archive").Validate(
            options => roles is Role.All || !roles.HasFlag(Role.Audit) || options.Directory.Length > 0,
            "Set Archive__Directory: only role all runs on the embedded default");
        services.AddSingleton(Store);
    }

    private static IArchiveStore Store(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<ArchiveOptions>>().Value;
        var directory = new DirectoryArchive(
            options.Directory.Length > 0 ? options.Directory : ArchiveOptions.EmbeddedDirectory);
        NotWorm(services.GetRequiredService<ILoggerFactory>().CreateLogger("Audit"), directory.Root);
        return directory;
    }

    [LoggerMessage(LogLevel.Warning,
        "The archive is the directory {Directory}, which is not WORM: whoever may write there can delete evidence")]
    private static partial void NotWorm(ILogger logger, string directory);
}
