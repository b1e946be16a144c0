using System.Diagnostics;
using Testing;

namespace ToolTests;

/// <summary>What the README tells people to type.</summary>
public sealed class ReadmeTests(Postgres postgres)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_to_be_done_by_hand_ends_with_the_ballot_in_the_live_result()
    {
        await using var installation = await Installation.StartAsync(postgres, ["all"], cancel: Cancel);
        // Whoever follows the README has held the demo's election before, so no id is 1.
        await CreateAsync(installation);
        var script = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "README.md"), Cancel);
        script = script.Split("\n## By hand\n")[1].Split("```\n")[1];
        foreach (var (said, here) in new[]
        {
            ("$(./voting admin token --role manager)", await installation.StaffTokenAsync("manager")),
            ("http://127.0.0.1:8080/", installation.Public.BaseAddress!.ToString()),
            ("http://127.0.0.1:8081/", installation.Internal.BaseAddress!.ToString()),
            ("http://127.0.0.1:8090/", installation.Sandbox.BaseAddress!.ToString()),
            ("?count=1", $"?count=1&host={installation.Public.BaseAddress}"),
        })
        {
            Assert.Contains(said, script, StringComparison.Ordinal);
            script = script.Replace(said, here, StringComparison.Ordinal);
        }

        var shown = await RunAsync(script, until: "\"totalResponses\":1");

        Assert.Contains("\"status\":\"accepted\"", shown, StringComparison.Ordinal);
        Assert.Contains("event: tally", shown, StringComparison.Ordinal);
    }

    private static async Task CreateAsync(Installation installation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/internal/surveys")
        {
            Content = new StringContent(
                """
                {"title":"First","questions":[{"title":"Q","min":0,"max":1,"order":0,
                "options":[{"text":"A","order":0},{"text":"B","order":1}]}]}
                """, null, "application/json"),
        };
        request.Headers.Authorization = new("Bearer", await installation.StaffTokenAsync("manager"));
        using var answer = await installation.Internal.SendAsync(request, Cancel);
        answer.EnsureSuccessStatusCode();
    }

    /// <returns>What the script said, until it said what is waited for: it has no end of its own.</returns>
    private static async Task<string> RunAsync(string script, string until)
    {
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", $"exec 2>&1\n{script}"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(Patience);
        var said = new List<string>();
        try
        {
            while (await bash.StandardOutput.ReadLineAsync(deadline.Token) is { } line)
            {
                said.Add(line);
                if (line.Contains(until, StringComparison.Ordinal)) return string.Join('\n', said);
            }
        }
        catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
        {
            said.Add($"It took longer than {Patience}.");
        }
        finally
        {
            bash.Kill(entireProcessTree: true);
            await bash.WaitForExitAsync(CancellationToken.None);
        }

        throw new InvalidOperationException($"No line said {until}:\n{string.Join('\n', said)}");
    }
}
