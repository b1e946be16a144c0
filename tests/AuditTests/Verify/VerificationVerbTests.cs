using System.Text.Json;
using Audit;
using Audit.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Platform;

namespace AuditTests;

/// <summary>The verb <c>verify</c>, from what it was asked for to its exit code.</summary>
public sealed class VerificationVerbTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("verb-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task An_archive_that_holds_exits_with_0_and_one_that_does_not_with_1()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var (vkeys, jwks) = (Path.Combine(_directory, "vkeys"), Path.Combine(_directory, "jwks"));
        await File.WriteAllLinesAsync(vkeys, ["# ours", "", .. ArchivedElection.Keys.Select(key => $"{key}")], Cancel);
        await File.WriteAllBytesAsync(jwks, Election.Jwks, Cancel);
        var request = new VerificationRequest { Directory = archive.Root, Vkeys = [vkeys], Jwks = jwks, Json = true };

        var (code, output, errors) = await RunAsync(request);

        Assert.Equal(0, code);
        Assert.Contains("Verified", errors, StringComparison.Ordinal);
        using var whole = JsonDocument.Parse(output);
        Assert.True(whole.RootElement.GetProperty("verified").GetBoolean());
        Assert.Equal("given", whole.RootElement.GetProperty("keys")[0].GetProperty("trust").GetString());

        File.Delete(Path.Combine(archive.Root, ArchiveKey.Segment("votes/votes-01", 2)));
        (code, output, errors) = await RunAsync(request);

        Assert.Equal(1, code);
        Assert.Contains("BROKEN: votes-01, entry 8: ", errors, StringComparison.Ordinal);
        using var broken = JsonDocument.Parse(output);
        var first = broken.RootElement.GetProperty("first");
        Assert.Equal(("votes-01", 8, "segment-missing"), (first.GetProperty("log").GetString(),
            first.GetProperty("index").GetInt32(), first.GetProperty("problem").GetString()));
    }

    [Fact]
    public async Task Keys_are_taken_on_first_use_and_remembered()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var request = new VerificationRequest
        {
            Directory = archive.Root,
            Remember = Path.Combine(_directory, "seen.json"),
        };

        var (_, first, _) = await RunAsync(request);
        var (code, second, _) = await RunAsync(request);

        Assert.Contains("first use", first, StringComparison.Ordinal);
        Assert.Equal(0, code);
        Assert.DoesNotContain("first use", second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_without_a_given_key_is_not_believed()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());

        var (code, output, _) = await RunAsync(new()
        {
            Directory = archive.Root,
            Vkeys = [.. ArchivedElection.Keys.Skip(1).Select(key => key.ToString())],
        });

        Assert.Equal(1, code);
        Assert.Contains("votes-00, entry 0: Checkpoint 1: No known key", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_makes_no_sense_is_misuse()
    {
        var file = Path.Combine(_directory, "file");
        await File.WriteAllTextAsync(file, "x", Cancel);
        VerificationRequest[] wrong =
        [
            new() { Directory = _directory, Url = new("http://localhost") },
            new() { Directory = Path.Combine(_directory, "none") },
            new() { Url = new("ftp://localhost") },
            new() { Receipt = file },
            new() { Proof = file },
            new() { Receipt = file, Proof = file },
            new() { Directory = _directory, Vkeys = ["no key"] },
            new() { Directory = _directory, Vkeys = [file] },
            new() { Directory = _directory, Jwks = file },
            new() { Directory = _directory, Remember = file },
            new() { Directory = _directory, ParallelCountMax = 0 },
        ];

        foreach (var request in wrong)
            await Assert.ThrowsAsync<InvalidSettingsException>(() => RunAsync(request));
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(VerificationRequest request)
    {
        await using var services = new ServiceCollection().AddSingleton(TimeProvider.System).BuildServiceProvider();
        await using var output = new StringWriter();
        await using var errors = new StringWriter();
        var code = await AuditModule.VerifyAsync(services, request, output, errors, isTerminal: false, Cancel);
        return (code, output.ToString(), errors.ToString());
    }
}
