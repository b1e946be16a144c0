using Audit.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Platform;

namespace Audit;

/// <summary>The verb <c>verify</c>: finds what it was asked for, runs it, says what came out.</summary>
internal sealed class Verification(IServiceProvider services, VerificationRequest request, TimeProvider clock)
{
    private const int Broken = 1;
    private const string Retired = " retired";
    private const int FileSizeBytesMax = 1024 * 1024;
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CosignedWithin = TimeSpan.FromMinutes(1);

    private readonly VerifyProgress _progress = new();

    /// <param name="output">Takes the report.</param>
    /// <param name="errors">Takes everything else.</param>
    /// <param name="isTerminal">Whether a person looks at <paramref name="errors"/>.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>0 when everything is as it must be, else 1.</returns>
    /// <exception cref="InvalidSettingsException">It was called wrongly.</exception>
    /// <exception cref="IOException">The archive did not answer.</exception>
    public async Task<int> RunAsync(TextWriter output, TextWriter errors, bool isTerminal, CancellationToken cancel)
    {
        RequireSense();
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        http.Timeout = RequestTimeout;
        var remembered = await RememberedLogs.ReadAsync(request.Remember, cancel);
        var keys = new TrustedKeys(await VkeysAsync(cancel), remembered.Keys);
        using var resultKeys = request.Jwks is { } jwks ? await ResultKeys.ReadAsync(jwks, http, cancel) : null;

        var begun = clock.GetTimestamp();
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var drawing = isTerminal ? _progress.DrawAsync(errors, clock, done.Token) : Task.CompletedTask;
        VerificationReport report;
        try
        {
            report = await RunAsync(keys, remembered, resultKeys, http, cancel);
        }
        catch (Exception e) when (e is HttpRequestException
            || (e is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            throw new IOException($"{request.Url}: {e.Message}", e);
        }
        finally
        {
            await done.CancelAsync();
            await drawing;
        }

        var took = clock.GetElapsedTime(begun);
        await (request.Json ? errors : output).WriteAsync(report.ToText(took, _progress.Entries));
        if (request.Json) await output.WriteLineAsync(report.ToJson(took, _progress.Entries));
        if (!report.Holds) return Broken;
        if (request.Remember is { } path) await remembered.WriteAsync(path, cancel);
        return 0;
    }

    private async Task<VerificationReport> RunAsync(
        TrustedKeys keys, RememberedLogs remembered, ResultKeys? resultKeys, HttpClient http, CancellationToken cancel)
    {
        var parallel = request.ParallelCountMax ?? Environment.ProcessorCount;
        if (request.Receipt is { } receipt)
        {
            return VerifyReceipt.Run(
                await ReadAsync(receipt, cancel), await ReadAsync(request.Proof!, cancel), keys, resultKeys);
        }

        if (request.Url is { } site)
        {
            var logs = new VerifyPublicLogs(
                new(http, site, clock), keys, remembered, resultKeys, CosignedWithin, _progress);
            var report = await logs.RunAsync(parallel, cancel);
            report.Use(keys);
            return report;
        }

        var store = request.Directory is { } directory
            ? new DirectoryArchive(directory) : services.GetRequiredService<IArchiveStore>();
        var options = new VerifyArchiveOptions(keys, remembered, resultKeys, parallel, Path.GetTempPath(), clock);
        return await new VerifyArchive(store, options, _progress).RunAsync(cancel);
    }

    private void RequireSense()
    {
        var ways = new[] { request.Directory is not null, request.Url is not null, request.Receipt is not null };
        if (ways.Count(way => way) > 1)
            throw new InvalidSettingsException("Give one of --directory, --url and --receipt.");
        if (request.Receipt is null != request.Proof is null)
            throw new InvalidSettingsException("--receipt and --proof belong together.");
        if (request.Receipt is not null && request.Vkeys.Count == 0 && request.Remember is null)
            throw new InvalidSettingsException("A proof is checked with the log's key: give --vkey, or --remember.");
        if (request.Directory is { } directory && !Directory.Exists(directory))
            throw new InvalidSettingsException($"There is no directory {directory}.");
        if (request.Url is { } url && url.Scheme is not ("http" or "https"))
            throw new InvalidSettingsException("--url is http(s)://host[:port].");
        if (request.ParallelCountMax is < 1 or > 1024)
            throw new InvalidSettingsException("--parallel is 1 to 1024.");
    }

    private async Task<List<VerifierKey>> VkeysAsync(CancellationToken cancel)
    {
        var keys = new List<VerifierKey>();
        foreach (var given in request.Vkeys)
        {
            if (VerifierKey.TryParse(given, out var key))
            {
                keys.Add(key);
                continue;
            }

            var lines = (await ReadAsync(given, cancel)).Split('\n', StringSplitOptions.TrimEntries);
            foreach (var line in lines.Where(line => line.Length > 0 && line[0] != '#'))
            {
                // As the platform lists keys: what was signed by one that is retired stays signed.
                keys.Add(VerifierKey.TryParse(line.EndsWith(Retired, StringComparison.Ordinal)
                    ? line[..^Retired.Length] : line, out key)
                    ? key : throw new InvalidSettingsException($"'{line}' in {given} is no verifier key."));
            }
        }

        return keys;
    }

    private static async Task<string> ReadAsync(string path, CancellationToken cancel)
    {
        var file = new FileInfo(path);
        if (!file.Exists) throw new InvalidSettingsException($"There is no file {path}.");
        if (file.Length > FileSizeBytesMax) throw new InvalidSettingsException($"{path} is too large.");
        return await File.ReadAllTextAsync(path, cancel);
    }
}
