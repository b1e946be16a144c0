using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Demo;

/// <summary>
/// Shows the election to a person while it goes on, on standard error, and its numbers when it is over: a table on
/// standard output, or there one line of JSON and the table on standard error.
/// </summary>
internal sealed class Report(bool json)
{
    private const int Agree = 0;
    private const int Disagree = 1;
    // Where nobody looks at a terminal, lines are for files.
    private const int FileWidth = 140;
    private const int BarWidth = 30;
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FrameInterval = TimeSpan.FromMilliseconds(200);

    private readonly IAnsiConsole _error = On(Console.Error, Console.IsErrorRedirected);

    /// <summary>Says one line.</summary>
    public void Say(string line) => Console.Error.WriteLine(line);

    /// <returns>Takes how many there are so far, and says so at every tenth of all.</returns>
    public Action<int> Progress(string what, int all)
    {
        var step = Math.Max(1, all / 10);
        return count =>
        {
            if (count == all || (count % step == 0 && all - count >= step)) Say($"{count} of {all} {what}");
        };
    }

    /// <summary>Shows the live tally until the work is done.</summary>
    public async Task<T> WatchAsync<T>(
        Survey survey, int voterCount, Ledger ledger, LiveTally live, Task<T> work, CancellationToken cancel)
    {
        await WatchAsync(survey, voterCount, ledger, live, (Task)work, cancel);
        return await work;
    }

    /// <summary>Shows the live tally until the work is done.</summary>
    /// <exception cref="Exception">The work's own.</exception>
    public async Task WatchAsync(
        Survey survey, int voterCount, Ledger ledger, LiveTally live, Task work, CancellationToken cancel)
    {
        if (!Console.IsErrorRedirected && _error.Profile.Capabilities.Interactive)
        {
            await _error.Live(Frame(survey, voterCount, ledger, live)).AutoClear(true).StartAsync(async show =>
            {
                while (await IsGoingOnAsync(work, FrameInterval, cancel))
                    show.UpdateTarget(Frame(survey, voterCount, ledger, live));
            });
        }
        else
        {
            while (await IsGoingOnAsync(work, LineInterval, cancel)) Say(Line(voterCount, ledger, live));
        }

        await work;
    }

    /// <returns>The exit code.</returns>
    public int Show(ElectionOutcome election)
    {
        var checks = Checks.Of(election);
        var console = json ? _error : On(Console.Out, Console.IsOutputRedirected);
        console.Write(Tables.Result(election));
        console.Write(Tables.Numbers(election, checks));
        foreach (var fault in election.Ledger.Faults) console.WriteLine($"✗ {fault}");
        return End(console, checks, new JsonReport(election, checks));
    }

    /// <returns>The exit code.</returns>
    public int Show(Survey survey, Tally result, RowCount rows)
    {
        var checks = Checks.Of(result, rows);
        var console = json ? _error : On(Console.Out, Console.IsOutputRedirected);
        console.Write(Tables.OfChecks($"Recount of survey {survey.Id}, {survey.Title}", checks));
        return End(console, checks, new
        {
            Survey = new { survey.Id, survey.Title },
            Ballots = result.Ballots,
            Rows = new { rows.Tally.Ballots, rows.Refused },
            Checks = checks,
            Agrees = checks.All(check => check.Agrees),
        });
    }

    private int End(IAnsiConsole console, IReadOnlyList<Check> checks, object whole)
    {
        var wrong = checks.Count(check => !check.Agrees);
        console.WriteLine(wrong == 0 ? "Every number agrees." : $"{wrong} of {checks.Count} checks do not agree.");
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(whole, Survey.Wire));
        return wrong == 0 ? Agree : Disagree;
    }

    private static async Task<bool> IsGoingOnAsync(Task work, TimeSpan interval, CancellationToken cancel)
    {
        await Task.WhenAny(work, Task.Delay(interval, cancel));
        return !work.IsCompleted && !cancel.IsCancellationRequested;
    }

    private static string Line(int voterCount, Ledger ledger, LiveTally live) => string.Create(
        CultureInfo.InvariantCulture,
        $"{ledger.VotersDone} of {voterCount} have voted, {ledger.AcceptedCount} votes accepted; ")
        + $"live: {live.Last?.Ballots ?? 0} ballots, version {live.Version}, {live.Status ?? "not connected"}";

    private static Table Frame(Survey survey, int voterCount, Ledger ledger, LiveTally live)
    {
        var table = new Table().Title(Markup.Escape(survey.Title))
            .Caption(Markup.Escape(Line(voterCount, ledger, live)))
            .AddColumns("", "Live", "");
        var tally = live.Last;
        var all = Math.Max(1, tally?.Ballots ?? 0);
        foreach (var question in survey.Questions)
        {
            table.AddRow($"[bold]{Markup.Escape(question.Title)}[/]");
            foreach (var option in question.Options)
            {
                var votes = tally?.VotesOf(option.Id) ?? 0;
                table.AddRow(
                    Markup.Escape(option.Text), $"{votes}",
                    new string('█', (int)Math.Min(BarWidth, votes * BarWidth / all)));
            }
        }

        return table;
    }

    private static IAnsiConsole On(TextWriter writer, bool isFile)
    {
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(writer) });
        if (isFile) console.Profile.Width = FileWidth;
        return console;
    }
}
