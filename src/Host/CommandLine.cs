using System.CommandLine;
using System.Data.Common;
using System.Text.RegularExpressions;
using Platform;

namespace Host;

/// <summary>
/// The verbs of <c>voting-host</c>. Whatever is wrong with how it was called is one line and exit code 2.
/// </summary>
internal static partial class CommandLine
{
    private const int Failed = 1;
    private const int Misused = 2;

    // The library would end a process 2 s after SIGTERM, in the midst of draining; the drain has its own time-out.
    private static readonly TimeSpan EndPatience = TimeSpan.FromMinutes(2);

    public static async Task<int> RunAsync(string[] args)
    {
        var root = Root();
        try
        {
            var parsed = root.Parse(args);
            foreach (var error in parsed.Errors) throw new InvalidSettingsException(error.Message);
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = EndPatience,
            });
        }
        catch (InvalidSettingsException e)
        {
            await Console.Error.WriteLineAsync($"voting-host: {e.Message}");
            return Misused;
        }
        catch (Exception e) when (e is DbException or MigrationException or IOException
            or LogNotReadyException or AppendFailedException)
        {
            // The world's failures that an operator can read: no database, a port that is taken.
            await Console.Error.WriteLineAsync($"voting-host: {e.Message.ReplaceLineEndings(" ")}");
            return Failed;
        }
    }

    private static RootCommand Root()
    {
        var roles = new Option<string>("--role")
        {
            Description = $"What to run: one or several of {string.Join(", ", Roles.Names)}, separated by commas.",
        };
        var file = new Option<FileInfo?>("--config")
        {
            Description = "A JSON file of settings; environment variables and --Section:Key=value come after it.",
            Recursive = true,
        };
        var root = new RootCommand(
            "The voting platform. Settings are given as --Section:Key=value, Section__Key in the environment, or a "
            + "JSON file.");
        root.TreatUnmatchedTokensAsErrors = false;
        root.Options.Add(roles);
        root.Options.Add(file);
        root.SetAction((parsed, cancel) =>
            Serving.RunAsync(Roles.Parse(parsed.GetValue(roles)), Settings(parsed, file), cancel));

        var migrate = new Command("migrate", "Brings the databases, topics and keys up to this version.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        migrate.SetAction((parsed, cancel) => Migrating.RunAsync(Settings(parsed, file), cancel));
        root.Subcommands.Add(migrate);

        root.Subcommands.Add(Verifying.Command(parsed => Settings(parsed, file)));

        var staffRole = new Option<string>("--role")
        {
            Description = "manager, investigator, auditor or admin.",
            Required = true,
        };
        var token = new Command("token", "Prints a staff token, where console accounts are not required.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        token.Options.Add(staffRole);
        token.SetAction((parsed, cancel) =>
            StaffTokens.RunAsync(parsed.GetValue(staffRole)!, Settings(parsed, file), cancel));
        root.Subcommands.Add(new Command("admin", "What operators do by hand.")
        {
            token, Poison(file), Rebuild(file), Log(file), Archive(file),
            LogKeyVerbs.Command(parsed => Settings(parsed, file)),
        });
        return root;
    }

    private static Command Log(Option<FileInfo?> file)
    {
        var init = new Command("init", "Creates the log's topics that are not there yet.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        init.SetAction((parsed, cancel) => LogTopicVerbs.InitAsync(Settings(parsed, file), cancel));
        var check = new Command("check", "Lists how the log differs from what it should be; exit code 1 if it does.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        check.SetAction((parsed, cancel) => LogTopicVerbs.CheckAsync(Settings(parsed, file), cancel));
        return new Command("log", "The event log's topics.") { init, check };
    }

    private static Command Archive(Option<FileInfo?> file)
    {
        var init = new Command("init", "Sets the archive's bucket up: Object Lock, retention, lifecycle.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        init.SetAction((parsed, cancel) => ArchiveVerbs.InitAsync(Settings(parsed, file), cancel));
        var check = new Command("check", "Lists how the archive's bucket differs from that; exit code 1 if it does.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        check.SetAction((parsed, cancel) => ArchiveVerbs.CheckAsync(Settings(parsed, file), cancel));
        return new Command("archive", "Where evidence is kept.") { init, check };
    }

    private static Command Poison(Option<FileInfo?> file)
    {
        var list = new Command("list", "Lists records of votes that could not be decoded.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        list.SetAction((parsed, cancel) => PoisonRecords.ListAsync(Settings(parsed, file), cancel));

        var partition = new Option<int>("--partition") { Description = "Of votes.", Required = true };
        var offset = new Option<long>("--offset") { Description = "In the partition.", Required = true };
        var dismiss = new Command("dismiss", "Settles that such a record is no vote: results no longer wait for it.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        dismiss.Options.Add(partition);
        dismiss.Options.Add(offset);
        dismiss.SetAction((parsed, cancel) => PoisonRecords.DismissAsync(
            parsed.GetValue(partition), parsed.GetValue(offset), Settings(parsed, file), cancel));
        var replay = new Command("replay", "Has such a record counted after all, once it can be decoded.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        replay.Options.Add(partition);
        replay.Options.Add(offset);
        replay.SetAction((parsed, cancel) => PoisonRecords.ReplayAsync(
            parsed.GetValue(partition), parsed.GetValue(offset), Settings(parsed, file), cancel));
        return new Command("poison", "Records that counting set aside.") { list, dismiss, replay };
    }

    private static Command Rebuild(Option<FileInfo?> file)
    {
        var survey = new Option<int?>("--survey") { Description = "Its id; without it, every survey." };
        var rebuild = new Command("rebuild-results", "Recounts the rows and corrects live results that differ.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        rebuild.Options.Add(survey);
        rebuild.SetAction((parsed, cancel) =>
            Rebuilding.RunAsync(parsed.GetValue(survey), Settings(parsed, file), cancel));
        return rebuild;
    }

    private static SettingsSources Settings(ParseResult parsed, Option<FileInfo?> file)
    {
        var settings = parsed.UnmatchedTokens.ToArray();
        foreach (var token in settings)
        {
            if (!SettingPattern().IsMatch(token))
            {
                throw new InvalidSettingsException(
                    $"'{token}' is not understood; write settings as --Section:Key=value.");
            }
        }

        var chosen = parsed.GetValue(file);
        if (chosen is { Exists: false })
            throw new InvalidSettingsException($"There is no settings file {chosen.FullName}.");
        return new(chosen, [.. settings.Select(token => token.Replace("__", ":", StringComparison.Ordinal))]);
    }

    [GeneratedRegex("^--[A-Za-z]+((:|__)[A-Za-z0-9]+)+=", RegexOptions.None, 1000)]
    private static partial Regex SettingPattern();
}

/// <summary>Where settings come from, besides the environment.</summary>
/// <param name="File">A JSON file, or null.</param>
/// <param name="Arguments">Settings of the command line, which win over all others.</param>
internal sealed record SettingsSources(FileInfo? File, string[] Arguments);
