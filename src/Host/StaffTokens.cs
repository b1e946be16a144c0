using Backoffice;
using Platform;

namespace Host;

internal static class StaffTokens
{
    public static async Task<int> RunAsync(string role, SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        await Console.Out.WriteLineAsync(await BackofficeModule.IssueStaffTokenAsync(app.Services, role, cancel));
        return 0;
    }
}
