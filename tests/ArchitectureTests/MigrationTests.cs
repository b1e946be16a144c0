using System.Reflection;
using System.Text.RegularExpressions;
using Host;

namespace ArchitectureTests;

/// <summary>Migrations are numbered without gaps, forward only, and in the binary.</summary>
public sealed partial class MigrationTests
{
    public static TheoryData<string> Owners => [.. Clone.Modules, "Platform"];

    [Fact]
    public void Every_script_lies_where_the_verb_migrate_looks() => Faults.None(Clone.Files
        .Where(file => file.Extension is ".sql" && file.Path.StartsWith("src/", StringComparison.Ordinal))
        .Select(file => file.Path).Where(path => !Place().IsMatch(path)));

    [Theory, MemberData(nameof(Owners))]
    public void Numbers_have_no_gaps(string module) => Faults.None(
        Scripts(module).GroupBy(file => Path.GetDirectoryName(file.Path)!)
            .SelectMany(folder => NumberFaults(folder.Key, folder.Select(file => Path.GetFileName(file.Path)))));

    [Theory, MemberData(nameof(Owners))]
    public void Every_script_is_embedded_as_it_lies_on_the_disk(string module)
    {
        var assembly = Assembly.Load(module);

        Assert.Equal(
            Scripts(module).Select(file => "Migrations/" + file.Path.Split("/Migrations/")[1]).Order(),
            assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)).Order());
        Assert.All(Scripts(module), file =>
        {
            using var embedded = new StreamReader(
                assembly.GetManifestResourceStream("Migrations/" + file.Path.Split("/Migrations/")[1])!);
            Assert.Equal(file.Text, embedded.ReadToEnd());
        });
    }

    [Theory, MemberData(nameof(Owners))]
    public void No_script_takes_rows_away(string module) => Faults.None(Scripts(module).SelectMany(LossFaults));

    [Fact]
    public void The_host_migrates_every_module()
    {
        Assert.Equal(
            Clone.Modules.Append("Platform").Select(module => module.ToLowerInvariant()).Order(),
            Composition.Migrations.Select(set => set.Module).Order());
        Assert.All(Composition.Migrations, set =>
            Assert.Equal(set.Module, set.Assembly.GetName().Name!.ToLowerInvariant()));
    }

    [Theory]
    [InlineData("0001_a.sql", "0003_c.sql")]
    [InlineData("0002_b.sql")]
    [InlineData("0001_a.sql", "0001_b.sql")]
    [InlineData("1_a.sql")]
    [InlineData("0001-a.sql")]
    public void Refuses_gaps_twins_and_other_names(params string[] names) =>
        Assert.NotEmpty(NumberFaults("planted", names));

    [Theory]
    [InlineData("DROP TABLE voting.surveys;")]
    [InlineData("alter table voting.surveys\n    drop column title;")]
    [InlineData("TRUNCATE voting.surveys;")]
    [InlineData("DROP SCHEMA voting CASCADE;")]
    public void Refuses_a_script_that_takes_rows_away(string sql) =>
        Assert.NotEmpty(LossFaults(SourceFile.Planted("src/Planted/Migrations/Control/0001_planted.sql", sql)));

    private static IEnumerable<SourceFile> Scripts(string module) =>
        Clone.Of(module).Where(file => file.Extension is ".sql");

    private static IEnumerable<string> NumberFaults(string folder, IEnumerable<string> names) => names
        .Order(StringComparer.Ordinal)
        .Where((name, index) => !ScriptName().IsMatch(name)
            || !name.StartsWith($"{index + 1:0000}_", StringComparison.Ordinal))
        .Select(name => $"{folder}/{name} breaks the row of numbers.");

    private static IEnumerable<string> LossFaults(SourceFile file) => Loss()
        .Matches(file.Text).Select(match => $"{file.Path}: {match.Value}");

    [GeneratedRegex("^src/(Platform|Modules/[A-Za-z]+)/Migrations/(Control|Shard)/[^/]+$", RegexOptions.None, 1000)]
    private static partial Regex Place();

    [GeneratedRegex("^[0-9]{4}_[a-z0-9_]+[.]sql$", RegexOptions.None, 1000)]
    private static partial Regex ScriptName();

    [GeneratedRegex(@"^[^-\n]*\b(DROP\s+(TABLE|SCHEMA|COLUMN)|TRUNCATE)\b.*$",
        RegexOptions.IgnoreCase | RegexOptions.Multiline, 1000)]
    private static partial Regex Loss();
}
