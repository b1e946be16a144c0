using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ArchitectureTests;

/// <summary>How types are named, where they are declared, and who may inherit from them.</summary>
public sealed partial class NameTests
{
    /// <summary>Last words of a name that say nothing, or the wrong thing.</summary>
    private static readonly HashSet<string> EmptyWords =
    [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Dto", "Info", "Data",
        "Service", "Services", "Impl", "Misc", "Stuff",
    ];

    [Fact]
    public void No_type_has_an_empty_name() => Faults.None(Clone.Sources.SelectMany(EmptyNameFaults));

    [Fact]
    public void Every_type_is_in_its_projects_namespace() => Faults.None(Clone.Sources.SelectMany(NamespaceFaults));

    [Fact]
    public void Every_class_is_sealed_or_made_to_be_inherited() => Faults.None(OpenClasses(Clone.Sources));

    [Fact]
    public void A_type_is_public_only_where_others_may_name_it() => Faults.None(Clone.Sources
        .Where(file => file.Path.StartsWith("src/Host/", StringComparison.Ordinal)
            || file.Path.StartsWith("tools/", StringComparison.Ordinal))
        .SelectMany(PublicFaults));

    [Theory]
    [InlineData("VoteManager")]
    [InlineData("SqlHelper")]
    [InlineData("SurveyDto")]
    [InlineData("BallotInfo")]
    [InlineData("VoteData")]
    [InlineData("CountingService")]
    public void Refuses_an_empty_name(string name) =>
        Assert.NotEmpty(EmptyNameFaults(Planted($"namespace Voting; class {name};")));

    [Theory]
    [InlineData("Metadata")]
    [InlineData("ServiceIdentity")]
    [InlineData("Managers")]
    public void Takes_words_that_only_look_alike(string name) =>
        Assert.Empty(EmptyNameFaults(Planted($"namespace Voting; class {name};")));

    [Theory]
    [InlineData("src/Modules/Voting/CastVote/A.cs", "namespace Voting.CastVote; class A;")]
    [InlineData("src/Modules/Voting/A.cs", "namespace Voting { class A; }")]
    [InlineData("src/Modules/Voting/A.cs", "class A;")]
    [InlineData("src/Modules/Voting/A.cs", "namespace Voting.Contracts; class A;")]
    [InlineData("src/Modules/Voting/Contracts/A.cs", "namespace Voting; class A;")]
    [InlineData("src/Modules/Voting/A.cs", "namespace Results; class A;")]
    public void Refuses_another_namespace(string path, string code) =>
        Assert.NotEmpty(NamespaceFaults(SourceFile.Planted(path, code)));

    [Theory]
    [InlineData("namespace Voting; internal class A;")]
    [InlineData("namespace Voting; internal record A(int B);")]
    [InlineData("namespace Voting; internal sealed class A { private class B; }")]
    public void Refuses_a_class_that_is_left_open(string code) => Assert.NotEmpty(OpenClasses([Planted(code)]));

    [Theory]
    [InlineData("namespace Voting; internal partial class A; internal sealed partial class A;")]
    [InlineData("namespace Voting; internal abstract record A { private A() { } internal sealed record B : A; }")]
    [InlineData("namespace Voting; internal static class A; internal record struct B; internal interface IC;")]
    public void Takes_a_class_that_says_what_it_is(string code) => Assert.Empty(OpenClasses([Planted(code)]));

    [Fact]
    public void Refuses_a_public_type_of_the_host() =>
        Assert.NotEmpty(PublicFaults(SourceFile.Planted("src/Host/A.cs", "namespace Host; public sealed class A;")));

    /// <returns>The words that an identifier is made of: <c>SurveyCountMax</c> → Survey, Count, Max.</returns>
    internal static IEnumerable<string> Words(string identifier) =>
        Word().Matches(identifier).Select(match => match.Value);

    private static IEnumerable<string> EmptyNameFaults(SourceFile file) => Types(file)
        .Where(type => Words(type.Identifier.ValueText).LastOrDefault() is { } last && EmptyWords.Contains(last))
        .Select(type => file.At(type, $"{type.Identifier.ValueText} says nothing."));

    private static IEnumerable<string> NamespaceFaults(SourceFile file)
    {
        var types = Types(file).Where(type => type.Parent is not TypeDeclarationSyntax).ToArray();
        if (types.Length == 0) return [];

        var project = Clone.Projects
            .Single(project => file.Path.StartsWith($"{project.Directory}/", StringComparison.Ordinal));
        var expected = file.Path.StartsWith($"{project.Directory}/Contracts/", StringComparison.Ordinal)
            ? $"{project.Name}.Contracts" : project.Name;
        return types.Where(type => (type.Parent as FileScopedNamespaceDeclarationSyntax)?.Name.ToString() != expected)
            .Select(type => file.At(type, $"{type.Identifier.ValueText} belongs into `namespace {expected};`."));
    }

    private static IEnumerable<string> OpenClasses(IEnumerable<SourceFile> files) => files
        .SelectMany(file => Types(file)
            .Where(type => type.Kind() is SyntaxKind.ClassDeclaration or SyntaxKind.RecordDeclaration)
            .Select(type => (File: file, Type: type, Name: FullName(type))))
        // The parts of a partial class speak for each other.
        .GroupBy(part => (
            part.Type.FirstAncestorOrSelf<BaseNamespaceDeclarationSyntax>()?.Name.ToString(), part.Name))
        .Where(parts => !parts.Any(part => part.Type.Modifiers.Any(modifier => modifier.Kind()
            is SyntaxKind.SealedKeyword or SyntaxKind.AbstractKeyword or SyntaxKind.StaticKeyword)))
        .Select(parts => parts.First())
        .Select(part => part.File.At(part.Type, $"{part.Name} is neither sealed nor abstract nor static."));

    private static IEnumerable<string> PublicFaults(SourceFile file) => Types(file)
        .Where(type => type.Parent is not TypeDeclarationSyntax && type.Modifiers.Any(SyntaxKind.PublicKeyword))
        .Select(type => file.At(type, $"{type.Identifier.ValueText} is public, and nobody may reference it."));

    private static IEnumerable<BaseTypeDeclarationSyntax> Types(SourceFile file) =>
        file.Syntax.DescendantNodes().OfType<BaseTypeDeclarationSyntax>();

    private static string FullName(BaseTypeDeclarationSyntax type) => string.Join('.', type.AncestorsAndSelf()
        .OfType<BaseTypeDeclarationSyntax>().Reverse().Select(outer => outer.Identifier.ValueText));

    private static SourceFile Planted(string code) => SourceFile.Planted("src/Modules/Voting/Planted.cs", code);

    [GeneratedRegex("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", RegexOptions.None, 1000)]
    private static partial Regex Word();
}
