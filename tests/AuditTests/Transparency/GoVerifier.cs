using System.Diagnostics;
using Testing;

namespace AuditTests;

/// <summary>The verifier in Go, built once a run. Use it so: <c>IClassFixture</c>.</summary>
public sealed class GoVerifier : IAsyncLifetime
{
    private const string Missing =
        "Go's compiler or its package golang.org/x/mod is missing. Install both (Debian, Ubuntu: apt-get install " +
        "golang-go golang-golang-x-mod-dev), then try again.";

    // Where Debian's packages of Go sources lie.
    private const string Sources = "/usr/share/gocode";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-go-verifier-");

    private string Program => Path.Combine(_directory.FullName, "goverifier");

    public async ValueTask InitializeAsync()
    {
        Assert.True(Directory.Exists($"{Sources}/src/golang.org/x/mod/sumdb/tlog"), Missing);
        var main = Path.Combine(Repository.Root, "tests", "AuditTests", "GoVerifier", "main.go");
        var (code, _, errors) = await RunAsync("go", ["build", "-o", Program, main], "");
        Assert.True(code == 0, errors);
    }

    public ValueTask DisposeAsync()
    {
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <returns>Exit code, standard output, standard error.</returns>
    public Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments, string input) =>
        RunAsync(Program, arguments, input);

    private async Task<(int Code, string Output, string Errors)> RunAsync(
        string program, string[] arguments, string input)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory.FullName,
            Environment =
            {
                ["GO111MODULE"] = "off",
                ["GOPATH"] = Sources,
                ["GOFLAGS"] = "",
                ["GOCACHE"] = Path.Combine(_directory.FullName, "cache"),
                // No C compiler is needed, then.
                ["CGO_ENABLED"] = "0",
            },
        };
        using var process = Started(start);
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await errors);
    }

    private static Process Started(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Fail(Missing);
            throw;
        }
    }
}
