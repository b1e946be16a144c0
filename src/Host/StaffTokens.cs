using Backoffice;
using Platform;

namespace Host;

internal static class StaffTokens
{
    public static async Task<int> RunAsync(string role, SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        await app.Services.GetRequiredService<KeyRing>().LoadAsync(cancel);
        await Console.Out.WriteLineAsync(BackofficeModule.IssueStaffToken(app.Services, role));
        return 0;
    }
}
