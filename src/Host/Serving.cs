using Audit;
using Platform;

namespace Host;

internal static partial class Serving
{
    /// <returns>0 after an orderly end, 1 when a loop failed or ended before it was told to.</returns>
    public static async Task<int> RunAsync(Role roles, SettingsSources sources, CancellationToken stop)
    {
        await using var app = Composition.Build(roles, sources);
        // Before anything that the host starts may ask for a key.
        await app.Services.GetRequiredService<KeyRing>().LoadAsync(stop);
        // Nor may anything be appended to a log that is not as this version knows it.
        await app.Services.GetRequiredService<ILogAdmin>().RequireTopicsAsync(stop);
        // Nor may evidence be put where it can be deleted.
        await AuditModule.RequireArchiveAsync(app.Services, roles, stop);
        Composition.Map(app, roles);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Host");
        app.Lifetime.ApplicationStarted.Register(() =>
        {
            var open = app.Services.GetRequiredService<OpenListeners>();
            Listening(logger, open.Port(Listener.Public), open.Port(Listener.Internal), open.Port(Listener.Management),
                Composition.Version);
        });

        // The framework ends a host whose loop failed with exit code 0, which reads as "done" to whoever restarts us.
        var loops = app.Services.GetServices<IHostedService>().OfType<BackgroundService>().ToArray();
        var endedEarly = false;
        // Loops are stopped after this: whichever has ended by now, and be it without a fault, did so by itself.
        await using var told = app.Lifetime.ApplicationStopping.Register(
            () => endedEarly = loops.Any(loop => loop.ExecuteTask is { IsCompleted: true }));
        await app.StartAsync(stop);
        // Nor does the framework end a host whose loop just returned, which would serve on without it.
        if (loops.Length > 0)
            _ = StopAfterAsync(Task.WhenAny(loops.Select(loop => loop.ExecuteTask!)), app.Lifetime);
        await app.WaitForShutdownAsync(stop);
        return endedEarly || loops.Any(loop => loop.ExecuteTask is { IsFaulted: true }) ? 1 : 0;
    }

    private static async Task StopAfterAsync(Task ended, IHostApplicationLifetime lifetime)
    {
        await ended;
        lifetime.StopApplication();
    }

    [LoggerMessage(LogLevel.Information,
        "Listening: public {PublicPort}, internal {InternalPort}, management {ManagementPort}; version {Version}")]
    private static partial void Listening(
        ILogger logger, int? publicPort, int? internalPort, int? managementPort, string version);
}
