using Audit;
using Platform;

namespace Host;

/// <summary>The verbs <c>admin archive init</c> and <c>admin archive check</c>.</summary>
internal static class ArchiveVerbs
{
    private const int Different = 1;

    public static async Task<int> InitAsync(SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        await AuditModule.InitArchiveAsync(app.Services, Console.Out, cancel);
        return await CheckAsync(app, cancel);
    }

    /// <returns>0 when the archive's store is as it should be, 1 when it differs.</returns>
    public static async Task<int> CheckAsync(SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        return await CheckAsync(app, cancel);
    }

    private static async Task<int> CheckAsync(WebApplication app, CancellationToken cancel)
    {
        if (!await AuditModule.CheckArchiveAsync(app.Services, Console.Out, cancel)) return Different;
        await Console.Out.WriteLineAsync("The archive is as it should be.");
        return 0;
    }
}
