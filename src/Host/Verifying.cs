using System.CommandLine;
using Audit;
using Audit.Contracts;
using Platform;

namespace Host;

/// <summary>The verb <c>verify</c>.</summary>
internal static class Verifying
{
    /// <param name="settings">Reads settings from the command line.</param>
    public static Command Command(Func<ParseResult, SettingsSources> settings)
    {
        var directory = Text("--directory", "A directory that holds an archive, instead of the settings' one.");
        var url = Text("--url", "A site, http(s)://host: verifies its public logs instead of an archive.");
        var receipt = Text("--receipt", "A file with a receipt: verifies it against --proof, offline.");
        var proof = Text("--proof", "A file with the proof of the receipt's vote.");
        var jwks = Text("--jwks", "File or address of the keys of receipts and results.");
        var remember = Text("--remember", "A file that holds what was seen, to be found again the next time.");
        var vkeys = new Option<string[]>("--vkey")
        {
            Description = "A log's or witness's verifier key, or a file of them; repeatable. None: trust on first use.",
            Arity = ArgumentArity.OneOrMore,
        };
        var parallel = new Option<int?>("--parallel") { Description = "Logs verified at once; default: the cores." };
        var json = new Option<bool>("--json") { Description = "The report as one JSON object on the last line." };
        var verify = new Command("verify", "Verifies an archive, a site's public logs, or a receipt, from keys alone.")
        {
            directory, url, receipt, proof, vkeys, jwks, remember, parallel, json,
        };
        verify.TreatUnmatchedTokensAsErrors = false;
        verify.SetAction((parsed, cancel) => RunAsync(settings(parsed), new()
        {
            Directory = parsed.GetValue(directory),
            Url = parsed.GetValue(url) is { } site ? Site(site) : null,
            Receipt = parsed.GetValue(receipt),
            Proof = parsed.GetValue(proof),
            Vkeys = parsed.GetValue(vkeys) ?? [],
            Jwks = parsed.GetValue(jwks),
            Remember = parsed.GetValue(remember),
            ParallelCountMax = parsed.GetValue(parallel),
            Json = parsed.GetValue(json),
        }, cancel));
        return verify;
    }

    private static async Task<int> RunAsync(
        SettingsSources sources, VerificationRequest request, CancellationToken cancel)
    {
        using var host = Composition.BuildVerification(sources);
        return await AuditModule.VerifyAsync(
            host.Services, request, Console.Out, Console.Error, !Console.IsErrorRedirected, cancel);
    }

    private static Option<string?> Text(string name, string description) => new(name) { Description = description };

    private static Uri Site(string address) => Uri.TryCreate(address, UriKind.Absolute, out var site)
        ? site : throw new InvalidSettingsException("--url is http(s)://host[:port].");
}
