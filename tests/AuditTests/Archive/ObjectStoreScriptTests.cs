using System.Diagnostics;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>The script <c>scripts/object-store</c>.</summary>
public sealed class ObjectStoreScriptTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_keeps_what_it_holds_until_it_is_wiped()
    {
        var directory = Directory.CreateTempSubdirectory("voting-objects-").FullName;
        using var owner = Process.Start("sleep", "300");
        try
        {
            var first = await RunAsync("start", directory, "--for", $"{owner.Id}");
            Assert.Equal(first, await RunAsync("start", directory));
            var server = ObjectStore.At(first.Output);
            using var link = new S3Link(
                new()
                {
                    ServiceUrl = $"{server.ServiceUrl}",
                    Bucket = "kept",
                    AccessKey = server.AccessKey,
                    SecretKey = server.SecretKey,
                },
                TimeProvider.System);
            await new S3ArchiveAdmin(link, 1).InitAsync(Cancel);
            var archive = new S3Archive(link, 1, TimeProvider.System);
            var put = await archive.PutAsync("votes/x", "kept"u8.ToArray(), "text/plain", Cancel);

            Assert.Equal(0, (await RunAsync("stop", directory)).ExitCode);
            Assert.Equal(3, (await RunAsync("status", directory)).ExitCode);
            Assert.Equal(first, await RunAsync("start", directory));

            Assert.Equal("kept"u8.ToArray(), (await archive.ReadAsync("votes/x", put.VersionId, Cancel))!.Bytes);
        }
        finally
        {
            owner.Kill();
            await owner.WaitForExitAsync(Cancel);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (Directory.Exists(directory)) await Task.Delay(50, deadline.Token);
    }

    [Fact]
    public async Task A_directory_that_holds_something_else_is_left_as_it_is()
    {
        var directory = Directory.CreateTempSubdirectory("voting-objects-").FullName;
        var file = Path.Combine(directory, "mine");
        await File.WriteAllTextAsync(file, "mine", Cancel);

        Assert.Equal(2, (await RunAsync("start", directory)).ExitCode);
        await RunAsync("wipe", directory);

        Assert.Equal("mine", await File.ReadAllTextAsync(file, Cancel));
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        var script = Path.Combine(Repository.Root, "scripts", "object-store");
        var start = new ProcessStartInfo("bash", [script, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(Cancel);
        var output = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        await errors;
        return (process.ExitCode, output.Trim());
    }
}
