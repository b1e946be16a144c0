using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ArchitectureTests;

/// <summary>What fits a screen, and what must not be left lying about.</summary>
public sealed partial class TidyTests
{
    private const int FileLinesMax = 300;
    private const int LineColumnsMax = 120;
    private const int MethodLinesMax = 70;

    /// <summary>Where a thread may be blocked, and why.</summary>
    private static readonly Dictionary<string, string> Blocking = new()
    {
        ["src/Platform/EventLog/Kafka/KafkaGroupMember.cs"] =
            "The client's callback releases partitions by returning, on a thread that serves nothing else.",
    };

    /// <summary>Written by tools (<c>.sln</c>), or in a form that cannot be wrapped (tables, values).</summary>
    private static readonly string[] Unbroken = [".sln", ".md", ".json", ".golden", ".txt", ".svg"];

    private static IEnumerable<SourceFile> Texts => Clone.Files.Where(file => !file.Text.Contains('\0'));

    [Fact]
    public void Every_file_line_and_method_fits_a_screen()
    {
        Assert.True(Clone.Sources.Count > 100, "The sources were not found.");
        Faults.None([.. Texts.SelectMany(LengthFaults), .. Clone.Sources.SelectMany(MethodFaults)]);
    }

    [Fact]
    public void No_thread_waits_for_a_task() => Faults.None(
        Clone.Sources.Where(file => !Blocking.ContainsKey(file.Path)).SelectMany(BlockingFaults));

    [Fact]
    public void No_failure_is_lost() => Faults.None(Clone.Sources.SelectMany(LostFailureFaults));

    [Fact]
    public void Nothing_is_left_for_later() => Faults.None(
        [.. Texts.SelectMany(LeftoverFaults), .. Clone.Sources.SelectMany(SkippedTestFaults)]);

    [Fact]
    public void No_file_knows_the_machine_it_was_written_on() => Faults.None(Texts.SelectMany(PlaceFaults));

    [Fact]
    public void Usings_are_sorted() => Faults.None(Clone.Sources.SelectMany(UsingFaults));

    [Theory]
    [InlineData(301, 10)]
    [InlineData(1, 121)]
    public void Refuses_a_long_file_and_a_long_line(int lines, int columns) =>
        Assert.NotEmpty(LengthFaults(Planted(string.Join('\n', Enumerable.Repeat(new string('x', columns), lines)))));

    [Theory]
    [InlineData("class C { void M() { START } }")]
    [InlineData("class C { C() { START } }")]
    [InlineData("class C { int P { get { START return 1; } } }")]
    public void Refuses_a_long_method(string code)
    {
        Assert.NotEmpty(MethodFaults(Planted(code.Replace("START", new string('\n', MethodLinesMax)))));
        Assert.Empty(MethodFaults(Planted(code.Replace("START", new string('\n', MethodLinesMax - 1)))));
    }

    [Theory]
    [InlineData("class C { int M(Task<int> t) => t.Result; }")]
    [InlineData("class C { void M(Task t) { t.Wait(); } }")]
    [InlineData("class C { void M(Task t) { t.Wait(1000); } }")]
    [InlineData("class C { void M(Task t) { Task.WaitAll(t); } }")]
    [InlineData("class C { int M(Task<int> t) => t.GetAwaiter().GetResult(); }")]
    [InlineData("class C { void M() { Thread.Sleep(1); } }")]
    public void Refuses_to_wait_for_a_task(string code) => Assert.NotEmpty(BlockingFaults(Planted(code)));

    [Theory]
    [InlineData("class C { void M() { try { } catch { } } }")]
    [InlineData("class C { void M() { try { } catch (Exception) { } } }")]
    [InlineData("class C { void M() { try { } catch { /* fine */ } } }")]
    [InlineData("class C { void M() { try { } catch (IOException) when (x) { } } }")]
    [InlineData("class C { async void M() { } }")]
    public void Refuses_to_lose_a_failure(string code) => Assert.NotEmpty(LostFailureFaults(Planted(code)));

    [Theory]
    [InlineData("using Npgsql; using Host;")]
    [InlineData("using Npgsql; using System.Text;")]
    [InlineData("using System.Text.Json; using System.Text;")]
    public void Refuses_usings_in_another_order(string code) => Assert.NotEmpty(UsingFaults(Planted(code)));

    [Fact]
    public void Takes_a_catch_that_says_why_nothing_is_to_be_done() => Assert.Empty(LostFailureFaults(Planted(
        "class C { void M() { try { } catch (IOException) { // Nobody reads it any more.\n } } }")));

    [Theory]
    [InlineData("// TO", "DO: later")]
    [InlineData("// FIX", "ME")]
    [InlineData("// HA", "CK")]
    [InlineData("throw new NotImplemented", "Exception();")]
    [InlineData("#reg", "ion Fields")]
    [InlineData("// see iss", "ue 12")]
    public void Refuses_what_is_left_for_later(string start, string end) =>
        Assert.NotEmpty(LeftoverFaults(Planted(start + end)));

    [Theory]
    [InlineData("""class C { [Fact(Skip = "slow")] void M() { } }""")]
    [InlineData("""class C { [Fact] void M() { Assert.Skip("slow"); } }""")]
    [InlineData("""class C { [Fact(SkipWhen = nameof(Slow))] void M() { } }""")]
    [InlineData("""class C { [Fact(Explicit = true)] void M() { } }""")]
    public void Refuses_a_skipped_test(string code) => Assert.NotEmpty(SkippedTestFaults(Planted(code)));

    [Theory]
    [InlineData("/ho", "me/somebody/clone")]
    [InlineData("/Us", "ers/somebody")]
    [InlineData("/tm", "p/clone/out.txt")]
    [InlineData("/wo", "rk/main")]
    [InlineData("C:", @"\clone\out.txt")]
    [InlineData("https://api.nu", "get.org/v3/index.json")]
    [InlineData("https://registry.npm", "js.org")]
    [InlineData("https://py", "pi.org/simple")]
    public void Refuses_a_machines_path_and_a_package_registry(string start, string end) =>
        Assert.NotEmpty(PlaceFaults(Planted($"var place = \"{start}{end}\";")));

    private static IEnumerable<string> LengthFaults(SourceFile file)
    {
        if (Unbroken.Contains(file.Extension)) yield break;
        var lines = file.Lines;
        if (lines[^1].Length == 0) lines = lines[..^1];
        if (lines.Length > FileLinesMax) yield return $"{file.Path}: {lines.Length} lines.";
        for (var line = 0; line < lines.Length; line++)
        {
            if (lines[line].TrimEnd('\r').Length > LineColumnsMax)
                yield return $"{file.Path}:{line + 1}: {lines[line].Length} columns.";
        }
    }

    private static IEnumerable<string> MethodFaults(SourceFile file) =>
        from body in file.Syntax.DescendantNodes()
        where body is BaseMethodDeclarationSyntax or AccessorDeclarationSyntax or LocalFunctionStatementSyntax
        // Attributes and comments before it are no part of the method.
        let span = file.Syntax.SyntaxTree.GetLineSpan(Microsoft.CodeAnalysis.Text.TextSpan.FromBounds(
            body.ChildNodesAndTokens().First(part => !part.IsKind(SyntaxKind.AttributeList)).Span.Start, body.Span.End))
        let lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1
        where lines > MethodLinesMax
        select file.At(body, $"a method of {lines} lines.");

    private static IEnumerable<string> BlockingFaults(SourceFile file) =>
        from access in file.Syntax.DescendantNodes().OfType<MemberAccessExpressionSyntax>()
        let called = access.Parent is InvocationExpressionSyntax
        where access.Name.Identifier.ValueText switch
        {
            "Result" => !called,
            "Wait" or "WaitAll" or "WaitAny" or "WaitOne" or "GetAwaiter" => called,
            "Sleep" => access.Expression.ToString() is "Thread" or "System.Threading.Thread",
            _ => false,
        }
        select file.At(access, $"{access} blocks its thread.");

    private static IEnumerable<string> LostFailureFaults(SourceFile file)
    {
        foreach (var caught in file.Syntax.DescendantNodes().OfType<CatchClauseSyntax>())
        {
            var says = caught.Block.DescendantTrivia().Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia));
            if (caught.Block.Statements.Count == 0 && (!says || caught.Declaration is null))
                yield return file.At(caught, "a catch that says neither what nor why.");
        }

        foreach (var method in file.Syntax.DescendantNodes())
        {
            var (modifiers, type) = method switch
            {
                MethodDeclarationSyntax declared => (declared.Modifiers, declared.ReturnType),
                LocalFunctionStatementSyntax local => (local.Modifiers, local.ReturnType),
                _ => (default, null),
            };
            if (modifiers.Any(SyntaxKind.AsyncKeyword) && type is PredefinedTypeSyntax)
                yield return file.At(method, "async void: nobody sees how it ends.");
        }
    }

    private static IEnumerable<string> UsingFaults(SourceFile file)
    {
        var names = file.Syntax.DescendantNodes().OfType<UsingDirectiveSyntax>()
            .Where(directive => directive.Alias is null && !directive.StaticKeyword.IsKind(SyntaxKind.StaticKeyword)
                && !directive.GlobalKeyword.IsKind(SyntaxKind.GlobalKeyword))
            .Select(directive => directive.Name!.ToString()).ToArray();
        return names.SequenceEqual(names.OrderBy(name => name.Split('.')[0] is not "System")
            .ThenBy(name => name.Replace('.', '\u0001'), StringComparer.OrdinalIgnoreCase))
            ? []
            : [$"{file.Path}: usings are sorted by name, System first."];
    }

    private static IEnumerable<string> LeftoverFaults(SourceFile file) => Matches(file, Leftover());

    private static IEnumerable<string> SkippedTestFaults(SourceFile file)
    {
        foreach (var node in file.Syntax.DescendantNodes())
        {
            var name = node switch
            {
                AttributeArgumentSyntax { NameEquals.Name.Identifier.ValueText: var argument } => argument,
                MemberAccessExpressionSyntax access when access.Expression.ToString() is "Assert" =>
                    access.Name.Identifier.ValueText,
                _ => "",
            };
            if (name.StartsWith("Skip", StringComparison.Ordinal) || name is "Explicit")
                yield return file.At(node, "a test that does not run.");
        }
    }

    private static IEnumerable<string> PlaceFaults(SourceFile file) => Matches(file, Place());

    private static IEnumerable<string> Matches(SourceFile file, Regex pattern) => file.Lines
        .Select((line, index) => (line, index))
        .Where(at => pattern.IsMatch(at.line))
        .Select(at => $"{file.Path}:{at.index + 1}: {at.line.Trim()}");

    private static SourceFile Planted(string code) => SourceFile.Planted("src/Planted.cs", code);

    [GeneratedRegex(
        @"\b(TOD[O]|FIXM[E]|HAC[K])\b|NotImplemente[d]Exception|#regio[n]|\bissue\s+#?[0-9]"
        + @"|(?<!PKCS)\s#[0-9]+\b",
        RegexOptions.None, 1000)]
    private static partial Regex Leftover();

    [GeneratedRegex(
        @"(?<![\w.$}])/(home|Users|root|tmp|work)/\w|\b[A-Z]:\\\w"
        + @"|nuge[t]\.org|npmj[s]\.|pyp[i]\.org|pythonhoste[d]\.org|crate[s]\.io",
        RegexOptions.None, 1000)]
    private static partial Regex Place();
}
