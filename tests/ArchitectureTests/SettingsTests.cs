using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Platform;
using Testing;

namespace ArchitectureTests;

/// <summary>Every setting says what it means, is checked at launch, and stands in the operators' table.</summary>
public sealed partial class SettingsTests
{
    private const string Table = "docs/operations/settings.md";

    [Fact]
    public async Task Every_setting_says_what_it_means() => Faults.None(
        Keys(await Application.SettingsAsync()).SelectMany(key => CommentFaults(key.Property)).Distinct());

    [Fact]
    public async Task Every_setting_is_checked() => Faults.None(
        Keys(await Application.SettingsAsync()).SelectMany(key => CheckFaults(key.Property)).Distinct());

    [Fact]
    public async Task The_operators_table_has_every_setting_as_it_is() => Faults.None(TableFaults(
        Keys(await Application.SettingsAsync()), File.ReadLines(Path.Combine(Repository.Root, Table))));

    [Fact]
    public async Task A_section_is_bound_to_one_class()
    {
        var sections = await Application.SettingsAsync();

        Assert.NotEmpty(sections);
        Assert.Distinct(sections.Select(section => section.Path));
        Faults.None(sections.Where(section => !section.Type.Name.EndsWith("Options", StringComparison.Ordinal))
            .Select(section => $"{section.Type} holds settings and is not called so."));
    }

    [Fact]
    public void Refuses_a_setting_without_a_comment_or_a_check()
    {
        var keys = Keys([new("Planted", typeof(PlantedOptions))]).ToArray();

        Assert.Equal(
            ["Planted__Count", "Planted__Inner__Size", "Planted__Names__<n>"], keys.Select(key => key.Name).Order());
        Assert.All(keys, key => Assert.NotEmpty(CommentFaults(key.Property)));
        Assert.Equal(3, keys.SelectMany(key => CheckFaults(key.Property)).Count());
    }

    [Theory]
    [InlineData("| `Planted__Size` | How big. | `4` | 1 to 9 |")]
    [InlineData("")]
    [InlineData("| `Planted__Count` |  | `4` | 1 to 9 |")]
    [InlineData("| `Planted__Count` | How many. | `5` | 1 to 9 |")]
    [InlineData("| `Planted__Count` | How many. | `4` | 1 to 10 |")]
    public void Refuses_a_table_that_says_something_else(string line) => Assert.NotEmpty(TableFaults(
        Keys([new("Planted", typeof(CheckedOptions))]), [line]));

    [Fact]
    public void Takes_a_table_that_says_the_same() => Assert.Empty(TableFaults(
        Keys([new("Planted", typeof(CheckedOptions))]), ["| `Planted__Count` | How many. | `4` | 1 to 9 |"]));

    private static IEnumerable<Key> Keys(IEnumerable<SettingsSection> sections) => sections.SelectMany(section =>
        Below(section.Path, section.Type, Activator.CreateInstance(section.Type)));

    private static IEnumerable<Key> Below(string path, Type type, object? value)
    {
        foreach (var property in type.GetProperties().Where(property => property.CanWrite))
        {
            var (name, of) = ($"{path.Replace(":", "__")}__{property.Name}", property.PropertyType);
            var stands = value is null ? null : property.GetValue(value);
            var element = of.IsArray ? of.GetElementType() : of.IsGenericType && of != typeof(string)
                && Nullable.GetUnderlyingType(of) is null ? of.GetGenericArguments()[^1] : null;
            if (element is not null) name += "__<n>";

            var leaf = element ?? of;
            if (IsGroup(leaf))
            {
                var inner = element is null ? stands : Activator.CreateInstance(leaf);
                foreach (var key in Below(name, leaf, inner)) yield return key with { Outer = property };
            }
            else
            {
                yield return new(name, property, element is null ? Written(stands) : "", Range(property), null);
            }
        }
    }

    private static bool IsGroup(Type type) => type.Assembly.GetName().Name is { } name
        && (Clone.Modules.Contains(name) || name is "Platform" or nameof(ArchitectureTests)) && !type.IsEnum;

    private static IEnumerable<string> CommentFaults(PropertyInfo property)
    {
        var comments = XDocument.Load(Path.ChangeExtension(property.DeclaringType!.Assembly.Location, ".xml"));
        var id = $"P:{property.DeclaringType.FullName!.Replace('+', '.')}.{property.Name}";
        var comment = comments.Descendants("member").FirstOrDefault(member => member.Attribute("name")!.Value == id);
        if (string.IsNullOrWhiteSpace(comment?.Value)) yield return $"{id} has no comment.";
    }

    private static IEnumerable<string> CheckFaults(PropertyInfo property)
    {
        // Neither can be wrong.
        if (property.PropertyType == typeof(bool) || property.PropertyType.IsEnum) yield break;
        if (property.GetCustomAttributes<ValidationAttribute>().Any()) yield break;
        if (Checkers(property.DeclaringType!).Any()) yield break;
        yield return $"{property.DeclaringType!.FullName}.{property.Name} takes anything.";
    }

    /// <summary>A class that checks itself, or one that holds it and checks it.</summary>
    private static IEnumerable<Type> Checkers(Type type) => type.Assembly.GetTypes().Where(candidate =>
        typeof(IValidatableObject).IsAssignableFrom(candidate)
        && (candidate == type || Groups(candidate).Contains(type)));

    private static IEnumerable<Type> Groups(Type type) => type.GetProperties()
        .Select(property => property.PropertyType.GetElementType() ?? property.PropertyType)
        .Where(IsGroup).SelectMany(inner => Groups(inner).Prepend(inner));

    private static IEnumerable<string> TableFaults(IEnumerable<Key> keys, IEnumerable<string> lines)
    {
        var rows = lines.Select(line => Row().Match(line)).Where(match => match.Success)
            .ToLookup(match => match.Groups["key"].Value);
        var known = keys.ToDictionary(key => key.Name);
        foreach (var row in rows)
        {
            if (!known.ContainsKey(row.Key)) yield return $"{Table}: there is no {row.Key}.";
            if (row.Count() > 1) yield return $"{Table}: {row.Key} stands there twice.";
        }


        foreach (var key in known.Values)
        {
            var row = rows[key.Name].FirstOrDefault();
            if (row is null || row.Groups["meaning"].Value.Trim().Length == 0
                || row.Groups["default"].Value != (key.Default.Length == 0 ? "–" : $"`{key.Default}`")
                || (key.Range.Length > 0 && row.Groups["range"].Value != key.Range))
            {
                yield return $"{Table} lacks: {key.Row}";
            }
        }
    }

    private static string Written(object? value) => value switch
    {
        null => "",
        TimeSpan { Milliseconds: > 0 } time => time.ToString(@"hh\:mm\:ss\.fff"),
        TimeSpan time => time.ToString("c"),
        bool yes => yes ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static string Range(PropertyInfo property) =>
        property.GetCustomAttribute<RangeAttribute>() is { } range ? $"{range.Minimum} to {range.Maximum}"
        : property.GetCustomAttribute<StringLengthAttribute>() is { } length
            ? $"up to {length.MaximumLength} characters"
        : property.PropertyType == typeof(bool) ? "`true`, `false`" : "";

    [GeneratedRegex("^[|] `(?<key>[^`]+)` [|] (?<meaning>.*) [|] (?<default>[^|]*) [|] (?<range>[^|]*) [|]$",
        RegexOptions.None, 1000)]
    private static partial Regex Row();

    /// <summary>One key as an operator writes it into the environment.</summary>
    private sealed record Key(string Name, PropertyInfo Property, string Default, string Range, PropertyInfo? Outer)
    {
        public string Row =>
            $"| `{Name}` | … | {(Default.Length == 0 ? "–" : $"`{Default}`")} | {Range} |";
    }

    private sealed class PlantedOptions
    {
        public int Count { get; set; } = 4;

        public string[] Names { get; set; } = [];

        public PlantedPart Inner { get; set; } = new();
    }

    private sealed class PlantedPart
    {
        public int Size { get; set; }
    }

    private sealed class CheckedOptions
    {
        [Range(1, 9)]
        public int Count { get; set; } = 4;
    }
}
