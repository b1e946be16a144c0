using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace ArchitectureTests;

/// <summary>SQL stays in its own module's schemas, and only the platform decides in whose name it runs.</summary>
public sealed partial class SqlTests
{
    public static TheoryData<string> Owners => [.. Clone.Modules, "Platform"];

    [Theory, MemberData(nameof(Owners))]
    public void A_module_touches_only_its_own_schemas(string module) =>
        Faults.None(Clone.Of(module).SelectMany(file => Trespasses(module, file)));

    [Theory, MemberData(nameof(Owners))]
    public void Only_the_platform_says_in_whose_name_and_where_sql_runs(string module) => Faults.None(
        module == "Platform" ? [] : Clone.Of(module).SelectMany(Escapes));

    [Fact]
    public void The_host_and_the_sandbox_run_no_sql() => Faults.None(Clone.Of("Host").Concat(Clone.Of("Sandbox"))
        .Where(file => file.Extension is ".cs" && file.Text.Contains("Npgsql", StringComparison.Ordinal))
        .Select(file => file.Path));

    [Theory]
    [InlineData("SELECT * FROM identity.voters")]
    [InlineData("select 1 from Identity.voters")]
    [InlineData("insert into results.tallies values (1)")]
    [InlineData("UPDATE platform.log_partitions SET next_offset = 0")]
    [InlineData("SELECT v.id FROM voting.surveys v JOIN identity_07.voters USING (id)")]
    [InlineData("""DELETE FROM "identity_07"."voters" """)]
    [InlineData("SELECT platform.log_append($1, $2, $3, $4)")]
    [InlineData("CREATE TABLE x (voter bytea REFERENCES identity . voters)")]
    [InlineData("TRUNCATE backoffice.accounts, audit.heads")]
    public void Refuses_another_modules_table(string sql)
    {
        Assert.NotEmpty(Trespasses("Voting", Planted(".sql", sql)));
        Assert.NotEmpty(Trespasses("Voting", Planted(".cs", $"""""class C {"{"} string sql = """{sql}"""; {"}"}""""")));
        Assert.NotEmpty(Trespasses("Voting", Planted(
            ".cs", $"""""class C {"{"} string Sql(string x) => $"""{sql} WHERE x = {"{"}x{"}"}"""; {"}"}""""")));
    }

    [Fact]
    public void Refuses_another_modules_name_from_which_its_schema_could_be_made() =>
        Assert.NotEmpty(Trespasses("Voting", Planted(".cs", """class C { string s = SchemaOf("identity", 7); }""")));

    [Theory]
    [InlineData("SELECT * FROM voting.surveys JOIN voting_07.ballots USING (survey)")]
    [InlineData("SELECT v.identity FROM $schema$.ballots v -- what identity.voters has is not asked")]
    public void Takes_its_own_tables(string sql) => Assert.Empty(Trespasses("Voting", Planted(".sql", sql)));

    [Theory]
    [InlineData("SET ROLE voting_module_identity")]
    [InlineData("reset role")]
    [InlineData("SET search_path = identity")]
    [InlineData("GRANT SELECT ON voting.surveys TO PUBLIC")]
    [InlineData("CREATE FUNCTION voting.f() RETURNS void LANGUAGE sql SECURITY DEFINER AS ''")]
    public void Refuses_sql_that_changes_in_whose_name_or_where_it_runs(string sql)
    {
        Assert.NotEmpty(Escapes(Planted(".sql", sql)));
        Assert.NotEmpty(Escapes(Planted(".cs", $"""class C {"{"} string sql = "{sql}"; {"}"}""")));
    }

    [Fact]
    public void Takes_a_function_that_keeps_its_scripts_path() => Assert.Empty(Escapes(Planted(
        ".sql", "CREATE FUNCTION $schema$.f() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS '';")));

    private static IEnumerable<string> Trespasses(string module, SourceFile file)
    {
        var others = string.Join('|', Clone.Modules.Append("Platform").Where(other => other != module))
            .ToLowerInvariant();
        // Lower case anywhere, any case behind the words that a table's name follows: "Identity.Providers" is a
        // setting, "voting.localhost" a host.
        var schema = $@"""?\b({others})(_\d\d)?\b""?\s*\.\s*(?!localhost\b)""?[a-z_]";
        var named = new Regex($@"(?<![\w/.-]){schema}", RegexOptions.None, TimeSpan.FromSeconds(5));
        var reached = new Regex(
            $@"\b(FROM|INTO|UPDATE|JOIN|TABLE|REFERENCES|USING|ONLY)\s+{schema}", RegexOptions.IgnoreCase,
            TimeSpan.FromSeconds(5));
        var name = new Regex($@"^({others})(_\d\d)?$", RegexOptions.None, TimeSpan.FromSeconds(5));

        return Texts(file)
            .Where(text => named.IsMatch(text.Text) || reached.IsMatch(text.Text) || name.IsMatch(text.Text))
            .Select(text => $"{file.Path}:{text.Line}: {text.Text.Trim()}");
    }

    private static IEnumerable<string> Escapes(SourceFile file) => Texts(file)
        .Where(text => ChangesRole().IsMatch(text.Text)).Select(text => $"{file.Path}:{text.Line}: {text.Text.Trim()}");

    /// <summary>Lines of SQL without comments; of C#, the lines of its strings.</summary>
    private static IEnumerable<(string Text, int Line)> Texts(SourceFile file)
    {
        if (file.Extension is ".sql")
            return file.Lines.Select((line, index) => (SqlComment().Replace(line, ""), index + 1));
        if (file.Extension is not ".cs") return [];
        return file.Syntax.DescendantTokens()
            .Where(token => token.Kind() is SyntaxKind.StringLiteralToken or SyntaxKind.SingleLineRawStringLiteralToken
                or SyntaxKind.MultiLineRawStringLiteralToken or SyntaxKind.InterpolatedStringTextToken
                or SyntaxKind.Utf8StringLiteralToken or SyntaxKind.Utf8MultiLineRawStringLiteralToken)
            .Select(token => (token.ValueText, token.GetLocation().GetLineSpan().StartLinePosition.Line + 1));
    }

    private static SourceFile Planted(string extension, string text) =>
        SourceFile.Planted($"src/Modules/Voting/Planted{extension}", text);

    [GeneratedRegex("--.*$", RegexOptions.None, 1000)]
    private static partial Regex SqlComment();

    [GeneratedRegex(
        @"\b((RE)?SET\s+(LOCAL\s+|SESSION\s+)?(ROLE|SESSION\s+AUTHORIZATION)|voting_module_)"
        // A function may keep the path of the script that makes it: the module's own.
        + @"|\bsearch_path\b(?!\s+FROM\s+CURRENT)"
        + @"|\bSECURITY\s+DEFINER\b|^\s*(GRANT|REVOKE)\b|\bOWNER\s+TO\b",
        RegexOptions.IgnoreCase, 1000)]
    private static partial Regex ChangesRole();
}
