using Platform;

namespace Host;

/// <summary>The verbs <c>admin log init</c> and <c>admin log check</c>.</summary>
internal static class LogTopicVerbs
{
    private const int Different = 1;

    public static async Task<int> InitAsync(SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        var created = await app.Services.GetRequiredService<ILogAdmin>().EnsureTopicsAsync(cancel);
        await Console.Out.WriteLineAsync($"Created {created} topics; all are there.");
        return 0;
    }

    /// <returns>0 when the log is as it should be, 1 when it differs; each difference is one line.</returns>
    public static async Task<int> CheckAsync(SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        var differences = await app.Services.GetRequiredService<ILogAdmin>().DifferencesAsync(cancel);
        foreach (var difference in differences) await Console.Out.WriteLineAsync(difference);
        if (differences.Count > 0) return Different;
        await Console.Out.WriteLineAsync("The log is as it should be.");
        return 0;
    }
}
