using System.Diagnostics;
using System.Text;

namespace Testing;

/// <summary>The server that all tests of this process share: the one that is named, else a private one.</summary>
internal static class PostgresServer
{
    private static readonly Lazy<Task<string>> Started = new(StartAsync);

    /// <summary>True when the server outlives this process: what the tests made must be taken away again.</summary>
    /// <remarks>
    /// Dropping takes a second each: for nothing where <c>./voting test</c> deletes the whole server.
    /// </remarks>
    public static bool Outlives =>
        Named is not null && Environment.GetEnvironmentVariable("VOTING_TEST_POSTGRES_TEMPORARY") is not "true";

    /// <summary>A superuser's connection string. Every caller waits for the same start.</summary>
    public static Task<string> ConnectionStringAsync() => Started.Value;

    private static string? Named =>
        Environment.GetEnvironmentVariable("VOTING_TEST_POSTGRES") is { Length: > 0 } named ? named : null;

    private static async Task<string> StartAsync()
    {
        if (Named is { } named) return named;

        // The script ends and deletes the server once this process is gone, however it ends.
        var directory = Directory.CreateTempSubdirectory("voting-tests-").FullName;
        var start = new ProcessStartInfo("bash")
        {
            ArgumentList =
            {
                Path.Combine(Repository.Root, "scripts", "postgres"),
                "start", directory, "--for", Environment.ProcessId.ToString(),
            },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var script = Process.Start(start)!;
        var errors = new StringBuilder();
        script.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        script.BeginErrorReadLine();
        var output = await script.StandardOutput.ReadToEndAsync();
        await script.WaitForExitAsync();
        return script.ExitCode == 0
            ? output.Trim()
            : throw new InvalidOperationException(
                $"No PostgreSQL for the tests: scripts/postgres ended with {script.ExitCode}. {errors}"
                + "Install it, or name a server in VOTING_TEST_POSTGRES.");
    }
}
