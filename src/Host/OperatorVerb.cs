using Platform;

namespace Host;

/// <summary>Runs what an operator asks for with all services, the keys and a log that can append.</summary>
internal static class OperatorVerb
{
    /// <returns>What <paramref name="work"/> returns, as the exit code.</returns>
    public static async Task<int> RunAsync(
        SettingsSources sources, Func<IServiceProvider, CancellationToken, Task<int>> work, CancellationToken cancel)
    {
        // The verb needs no role's loops, but checks what every role would check.
        await using var app = Composition.Build(Role.All, sources);
        await app.Services.GetRequiredService<KeyRing>().LoadAsync(cancel);
        var log = app.Services.GetRequiredService<ILogAdmin>();
        await log.RequireTopicsAsync(cancel);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var loops = log.RunAsync(done.Token);
        try
        {
            return await work(app.Services, cancel);
        }
        finally
        {
            await done.CancelAsync();
            await loops;
        }
    }
}
