using System.Diagnostics;
using System.Runtime.InteropServices;
using Testing;

namespace EndToEndTests;

/// <summary>Runs <c>voting-host</c> to its end, with nothing in its environment but what a test gives it.</summary>
internal static class HostCommand
{
    public static async Task<Ended> RunAsync(IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? settings = null, int? openFilesMax = null)
    {
        var (program, itsArguments) = Programs.HostWith(openFilesMax, arguments);
        var start = new ProcessStartInfo(program, itsArguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(
            Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        foreach (var (key, value) in settings ?? new Dictionary<string, string>()) start.Environment[key] = value;
        using var process = Process.Start(start)!;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(Site.Patience);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            var errors = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return new(process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    internal sealed record Ended(int ExitCode, string Output, string Errors);
}
