using System.CommandLine;
using Audit;
using Platform;

namespace Host;

/// <summary>The verbs <c>admin log-keys list</c>, <c>add</c> and <c>retire</c>.</summary>
internal static class LogKeyVerbs
{
    private const int Left = 1;

    /// <param name="settings">Reads what is set on the command line.</param>
    public static Command Command(Func<ParseResult, SettingsSources> settings)
    {
        var log = new Option<string?>("--log") { Description = "Such as votes-07; without it, every log." };
        return new Command("log-keys", "What transparency logs sign with.")
        {
            Verb("list", "Lists the verifier keys of logs, the newest first.", async (services, name, _) =>
            {
                await AuditModule.ListLogKeysAsync(services, name, Console.Out);
                return 0;
            }),
            Verb("add", "Adds a key; start role audit anew, and logs sign with it too.", async (services, name, stop) =>
            {
                await AuditModule.AddLogKeysAsync(services, name, Console.Out, stop);
                return 0;
            }),
            Verb("retire", "Ends the keys before the newest, for good; exit code 1 if one has to stay.",
                async (services, name, stop) =>
                    await AuditModule.RetireLogKeysAsync(services, name, Console.Out, stop) ? 0 : Left),
        };

        Command Verb(string name, string says, Func<IServiceProvider, string?, CancellationToken, Task<int>> work)
        {
            var verb = new Command(name, says) { TreatUnmatchedTokensAsErrors = false };
            verb.Options.Add(log);
            verb.SetAction(async (parsed, cancel) =>
            {
                await using var app = Composition.Build(Role.All, settings(parsed));
                await app.Services.GetRequiredService<KeyRing>().LoadAsync(cancel);
                return await work(app.Services, parsed.GetValue(log), cancel);
            });
            return verb;
        }
    }
}
