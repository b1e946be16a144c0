using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Bench;

/// <summary>What the benchmark prints.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Wire = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        // A target is told by its text; the function that judges it is nobody's business.
        Converters = { new TargetText() },
    };

    /// <summary>On standard error, so that standard output holds the report alone.</summary>
    public static void Progress(string what) => Console.Error.WriteLine(what);

    public static void Json(Outcome outcome) => Console.WriteLine(JsonSerializer.Serialize(outcome, Wire));

    public static void Table(Outcome outcome)
    {
        var table = new Table().Title(outcome.Quick ? "A quick try: these figures mean nothing" : "Median of 5")
            .AddColumns("", "Floor", "Us", "Ratio", "Target", "");
        foreach (var column in table.Columns.Skip(1).Take(3)) column.RightAligned();
        foreach (var row in outcome.Rows)
        {
            table.AddRow($"[bold]{Markup.Escape(row.Name)}[/]  {Markup.Escape(row.What)}");
            foreach (var one in row.Measures)
            {
                table.AddRow(
                    Markup.Escape($"  {one.Name}, {one.Unit}"), Text(one.Floor), Text(one.Us), Text(one.Ratio),
                    Markup.Escape(one.Target?.Text ?? ""),
                    one.Met switch { true => "[green]met[/]", false => "[red]missed[/]", null => "" });
            }
        }

        AnsiConsole.Write(table);
        var stages = new Table().Title("CPU a vote, by stage").AddColumns("", "µs", "cores at 240,000 votes/s");
        foreach (var column in stages.Columns.Skip(1)) column.RightAligned();
        foreach (var stage in outcome.Rows.SelectMany(row => row.Stages))
        {
            stages.AddRow(
                Markup.Escape(stage.Name), Text(stage.CpuMicroseconds), Text(Outcome.CoresOf(stage.CpuMicroseconds)));
        }

        if (stages.Rows.Count > 0) AnsiConsole.Write(stages);
        foreach (var row in outcome.Rows.Where(row => row.Figures.Count > 0))
        {
            var figures = row.Figures.Select(figure => $"{figure.Key} {Text(figure.Value)}");
            AnsiConsole.WriteLine($"{row.Name}: {string.Join("; ", figures)}");
        }

        AnsiConsole.WriteLine($"{outcome.Machine}");
    }

    private static string Text(double? number) => number?.ToString(
        Math.Abs(number.Value) switch { >= 1000 => "#,##0", >= 100 => "0", >= 10 => "0.0", _ => "0.00" },
        CultureInfo.InvariantCulture) ?? "–";

    private sealed class TargetText : JsonConverter<Target>
    {
        public override Target Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
            throw new NotSupportedException("Reports are written, not read.");

        public override void Write(Utf8JsonWriter writer, Target value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Text);
    }
}
