using System.Net;
using System.Net.Sockets;

namespace DemoTests;

public sealed class MisuseTests(RunningPlatform platform)
{
    [Theory]
    [InlineData("--voters", "0")]
    [InlineData("--voters", "many")]
    [InlineData("--rate", "-1")]
    [InlineData("--rate", "NaN")]
    [InlineData("--survey", "/there/is/no/such/file.json")]
    [InlineData("--survey", "/")]
    [InlineData("--recount", "999999999")]
    [InlineData("--recount", "../1")]
    [InlineData("--recount", "1", "--voters", "3")]
    [InlineData("--nonsense")]
    [InlineData("nonsense")]
    public async Task Misuse_is_one_line_and_exit_code_2(params string[] arguments) =>
        AssertMisuse(await DemoRun.AgainstAsync(platform.Installation, arguments));

    [Fact]
    public async Task A_survey_that_the_platform_refuses_is_misuse_and_says_why()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(
            file, """{"title":"","questions":[]}""", TestContext.Current.CancellationToken);

        var run = await DemoRun.AgainstAsync(platform.Installation, "--survey", file);

        AssertMisuse(run);
        Assert.Contains("title", run.Errors[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_platform_it_says_so()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        // Bound and not listening: whoever connects is refused.
        var nobody = $"http://{taken.LocalEndPoint}";

        var run = await DemoRun.RunAsync([], new()
        {
            ["VOTING_PUBLIC_URL"] = nobody,
            ["VOTING_INTERNAL_URL"] = nobody,
            ["VOTING_SANDBOX_URL"] = nobody,
            ["VOTING_DATABASE"] = "Host=127.0.0.1",
            ["VOTING_STAFF_TOKEN"] = "none",
        });

        AssertMisuse(run);
        Assert.Contains("does not run", run.Errors[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_its_environment_it_says_what_to_run() =>
        AssertMisuse(await DemoRun.RunAsync([], []), "./voting demo");

    private static void AssertMisuse(DemoRun run, string says = "demo: ")
    {
        Assert.True(run is { ExitCode: 2, Output: [], Errors: [_] }, $"{run}");
        Assert.Contains(says, run.Errors[0], StringComparison.Ordinal);
    }
}
