using System.Diagnostics;
using System.Text.Json;
using Testing;

namespace DemoTests;

/// <summary>One run of the demo as a process of its own, from its call to its end.</summary>
/// <param name="ExitCode">What it ended with.</param>
/// <param name="Output">Lines of standard output.</param>
/// <param name="Errors">Lines of standard error.</param>
internal sealed record DemoRun(int ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors)
{
    /// <summary>What <c>--json</c> printed: the last line of standard output.</summary>
    public JsonElement Report => JsonElement.Parse(Output[^1]);

    /// <summary>Names of the checks that do not agree.</summary>
    public IEnumerable<string> Disagreeing => Report.GetProperty("checks").EnumerateArray()
        .Where(check => !check.GetProperty("agrees").GetBoolean())
        .Select(check => check.GetProperty("name").GetString()!);

    /// <summary>Everything that it said, for a report of a failure.</summary>
    public override string ToString() =>
        $"exit code {ExitCode}\n{string.Join('\n', Output)}\n{string.Join('\n', Errors)}";

    /// <summary>Runs it against an installation.</summary>
    /// <param name="installation">Its ballots go to every public listener that also streams results.</param>
    /// <param name="arguments">The command line.</param>
    public static async Task<DemoRun> AgainstAsync(Installation installation, params string[] arguments)
    {
        var ports = installation.Hosts.Where(host => host is { IsPublic: true, HasExited: false })
            .Select(host => host.Public.BaseAddress);
        return await RunAsync(arguments, new()
        {
            ["VOTING_PUBLIC_URL"] = string.Join(',', ports),
            ["VOTING_INTERNAL_URL"] = $"{installation.Internal.BaseAddress}",
            ["VOTING_SANDBOX_URL"] = $"{installation.Sandbox.BaseAddress}",
            ["VOTING_DATABASE"] = installation.Database.ConnectionString,
            ["VOTING_STAFF_TOKEN"] = await installation.StaffTokenAsync("manager"),
        });
    }

    /// <summary>Runs it with nothing but these variables to find the platform by.</summary>
    public static async Task<DemoRun> RunAsync(string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Programs.Demo, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var inherited = start.Environment.Keys.Where(key => key.StartsWith("VOTING_", StringComparison.Ordinal));
        foreach (var key in inherited.ToList()) start.Environment.Remove(key);
        foreach (var (key, value) in environment) start.Environment[key] = value;
        start.Environment.TryAdd("DOTNET_ROOT", Programs.DotnetRoot);

        using var process = Process.Start(start)!;
        var cancel = TestContext.Current.CancellationToken;
        await using var killing = cancel.UnsafeRegister(static process => ((Process)process!).Kill(), process);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var output = await process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        return new(process.ExitCode, Lines(output), Lines(await errors));

        static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
