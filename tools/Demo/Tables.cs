using System.Globalization;
using Spectre.Console;

namespace Demo;

/// <summary>The report's tables.</summary>
internal static class Tables
{
    /// <returns>The result, as each of those counted it who could.</returns>
    public static Table Result(ElectionOutcome election)
    {
        var own = Tally.Of(election.Counted.Select(vote => vote.Ballot));
        var table = new Table().Title(Markup.Escape($"{election.Survey.Title} (survey {election.Survey.Id})"))
            .AddColumns("", "Voters cast", "Live stream", "Final result", "Rows", "");
        foreach (var column in table.Columns.Skip(1)) column.RightAligned();
        Add("Ballots", tally => tally?.Ballots ?? 0);
        foreach (var question in election.Survey.Questions)
        {
            table.AddRow($"[bold]{Markup.Escape(question.Title)}[/]");
            foreach (var option in question.Options) Add($"  {option.Text}", tally => tally?.VotesOf(option.Id) ?? 0);
        }

        return table;

        void Add(string name, Func<Tally?, long> number)
        {
            long[] numbers =
                [number(own), number(election.Live.Last), number(election.Final), number(election.Rows.Tally)];
            table.AddRow([
                Markup.Escape(name), .. numbers.Select(one => one.ToString(CultureInfo.InvariantCulture)),
                Sign(numbers.Distinct().Count() == 1)]);
        }
    }

    /// <returns>What was sent, what became of it, and whether the numbers agree.</returns>
    public static Table Numbers(ElectionOutcome election, IReadOnlyList<Check> checks)
    {
        var ledger = election.Ledger;
        var table = new Table().Title("What was sent, and what became of it").AddColumns("", "", "");
        table.Columns[1].RightAligned();
        Section("Sent", ledger.Sent.Where(one => !IsHostile(one.Key)).OrderBy(one => one.Key, StringComparer.Ordinal)
            .Append(new("hostile ballots", ledger.Sent.Where(one => IsHostile(one.Key)).Sum(one => one.Value)))
            .Select(one => (one.Key, one.Value, "")));
        Section("Sent again, as asked for", ledger.Again.Select(one => (one.Key, one.Value, "")));
        Section("Accepted",
        [
            ("202", Count(202, _ => true), "ballots"),
            ("200 finished", Count(200, what => what is StepByStep.Finish), "sessions"),
            ("different votes", ledger.AcceptedCount, "each with a receipt"),
            ("201", Count(201, _ => true), "answers of sessions"),
        ]);
        Section("Repeated",
        [
            ("200", Count(200, what => what is not StepByStep.Finish && !IsAsked(what)), "the first answer again"),
        ]);
        Section("Refused", ledger.Answers.Where(one => one.Key.Status >= 300)
            .GroupBy(one => (one.Key.Status, one.Key.Problem))
            .OrderBy(group => group.Key)
            .Select(group => ($"{group.Key.Status} {group.Key.Problem}", group.Sum(one => one.Value),
                string.Join(", ", group
                    .Select(one => one.Key.What.Replace(HostileBallots.Prefix, "", StringComparison.Ordinal))
                    .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)))));
        Section("What became of the accepted votes",
        [
            ("counted", election.Counted.Count, ""),
            .. election.Rejected.Select(one => ($"rejected: {one.Key}", (long)one.Value, "")),
        ]);
        var (half, most) = Latency(ledger);
        table.AddRow("[bold]Time[/]");
        table.AddRow("  casting a ballot", Text(half), Markup.Escape($"ms median; 99 % within {Text(most)} ms"));
        table.AddRow("  casting all of them", Text(election.CastTime.TotalSeconds), "s");
        table.AddRow("  from the finish to the final result", Text(election.FinalTime.TotalSeconds), "s");
        table.AddEmptyRow();
        Add(table, checks);
        return table;

        long Count(int status, Func<string, bool> isOne) =>
            ledger.Answers.Where(one => one.Key.Status == status && isOne(one.Key.What)).Sum(one => one.Value);

        void Section(string name, IEnumerable<(string Name, long Count, string Meaning)> rows)
        {
            var all = rows.ToList();
            if (all.Count == 0) return;
            table.AddRow($"[bold]{name}[/]");
            foreach (var row in all)
            {
                table.AddRow(
                    Markup.Escape($"  {row.Name}"), row.Count.ToString(CultureInfo.InvariantCulture),
                    Markup.Escape(row.Meaning));
            }
        }
    }

    /// <returns>The checks alone.</returns>
    public static Table OfChecks(string title, IReadOnlyList<Check> checks)
    {
        var table = new Table().Title(Markup.Escape(title)).AddColumns("", "", "");
        Add(table, checks);
        return table;
    }

    /// <returns>Median and 99th percentile of casting, in milliseconds; 0 when nothing was timed.</returns>
    public static (double Half, double Most) Latency(Ledger ledger)
    {
        var times = ledger.CastTimes.Select(time => time.TotalMilliseconds).Order().ToList();
        return times.Count == 0 ? (0, 0) : (times[times.Count / 2], times[(int)(times.Count * 0.99)]);
    }

    private static void Add(Table table, IReadOnlyList<Check> checks)
    {
        foreach (var check in checks)
            table.AddRow(Markup.Escape(check.Name), Sign(check.Agrees), Markup.Escape(check.Figures));
    }

    private static bool IsHostile(string what) => what.StartsWith(HostileBallots.Prefix, StringComparison.Ordinal);

    private static bool IsAsked(string what) => what.StartsWith(Ledger.Asked, StringComparison.Ordinal);

    private static string Sign(bool agrees) => agrees ? "[green]✓[/]" : "[red]✗[/]";

    private static string Text(double number) => number.ToString("0.0", CultureInfo.InvariantCulture);
}
