using System.Diagnostics;
using System.Text.Json;
using Testing;

namespace ToolTests;

/// <summary>The benchmark works. What it measures here means nothing.</summary>
public sealed class BenchTests
{
    [Fact]
    public async Task A_quick_run_measures_every_row()
    {
        var cancel = TestContext.Current.CancellationToken;
        var start = new ProcessStartInfo(Programs.Bench, ["--quick", "--json"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["VOTING_HOST"] = Programs.Host;
        start.Environment["VOTING_SANDBOX"] = Programs.Sandbox;
        start.Environment["VOTING_BENCH_POSTGRES"] = await Postgres.ConnectionStringAsync();
        start.Environment["VOTING_BENCH_S3"] = (await ObjectStore.SharedAsync()).Connection;
        start.Environment.TryAdd("DOTNET_ROOT", Programs.DotnetRoot);

        using var process = Process.Start(start)!;
        await using var ending = cancel.UnsafeRegister(static process => ((Process)process!).Kill(), process);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var output = await process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);

        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}\n{output}\n{await errors}");
        var report = JsonElement.Parse(output);
        Assert.Equal(
            [
                "casting", "counting", "counting-whole", "streams", "freshness", "growth", "archiving", "requests",
                "verifying", "proving",
            ],
            Names(report.GetProperty("rows")));
        Assert.All(Numbers(report), number => Assert.True(double.IsFinite(number)));
        Assert.All(Measures(report), one => Assert.True(one.GetProperty("us").GetDouble() >= 0, $"{one}"));
        Assert.Equal(
            ["fsync on", "synchronous_commit on", "full_page_writes on"],
            report.GetProperty("machine").GetProperty("durability").EnumerateObject()
                .Select(setting => $"{setting.Name} {setting.Value}"));
    }

    private static IEnumerable<string> Names(JsonElement rows) =>
        rows.EnumerateArray().Select(row => row.GetProperty("name").GetString()!);

    private static IEnumerable<JsonElement> Measures(JsonElement report) => report.GetProperty("rows").EnumerateArray()
        .SelectMany(row => row.GetProperty("measures").EnumerateArray());

    private static IEnumerable<double> Numbers(JsonElement of) => of.ValueKind switch
    {
        JsonValueKind.Number => [of.GetDouble()],
        JsonValueKind.Array => of.EnumerateArray().SelectMany(Numbers),
        JsonValueKind.Object => of.EnumerateObject().SelectMany(member => Numbers(member.Value)),
        _ => [],
    };
}
