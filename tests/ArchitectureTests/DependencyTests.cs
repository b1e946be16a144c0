using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using NetArchTest.Rules;

namespace ArchitectureTests;

/// <summary>What the compiled types really depend on, method bodies included.</summary>
public sealed class DependencyTests
{
    /// <summary>Words of voting. <c>Platform</c> has none of them: it would serve a shop as well.</summary>
    private static readonly HashSet<string> VotingWords = new(StringComparer.OrdinalIgnoreCase)
    {
        "Ballot", "Ballots", "Vote", "Votes", "Voting", "Survey", "Surveys", "Tally", "Tallies", "Question",
        "Questions", "Election", "Candidate", "Fence", "Fences", "Receipt", "Receipts",
    };

    /// <summary>Identifiers in Platform with such a word in them, and why.</summary>
    private static readonly Dictionary<string, string> GivenNames = new()
    {
        ["VotePartitions"] = "Operators set Log__VotePartitions: the size of what is spread over buckets.",
        ["BallotSubject"] = "A claim of the access token, which Platform writes, reads and encrypts.",
    };

    public static TheoryData<string> Modules => Clone.ModuleData;

    [Theory, MemberData(nameof(Modules))]
    public void A_module_depends_on_nothing_of_another_but_its_contracts(string module)
    {
        var others = Clone.Modules.Where(other => other != module).SelectMany(other =>
            ProjectTests.Arrows[module].Contains(other) ? Hidden(other, entryToo: true) : [other]);

        Faults.None(Dependents(Types.InAssembly(Assembly.Load(module)), others));
    }

    [Fact]
    public void Platform_depends_on_no_module() =>
        Faults.None(Dependents(Types.InAssembly(Assembly.Load("Platform")), Clone.Modules.Append("Host")));

    [Fact]
    public void The_host_names_only_the_modules_entries() => Faults.None(Dependents(
        OfTheHost(), Clone.Modules.SelectMany(module => Hidden(module, entryToo: false)).Append("Npgsql")));

    [Fact]
    public void Only_the_host_calls_an_entry() => Faults.None(Clone.Modules.Append("Platform").SelectMany(caller =>
        Dependents(Types.InAssembly(Assembly.Load(caller)),
            Clone.Modules.Where(module => module != caller).Select(module => $"{module}.{module}Module"))));

    [Fact]
    public void Platform_knows_no_word_of_voting() =>
        Faults.None(Clone.Of("Platform").Where(file => file.Extension is ".cs").SelectMany(WordFaults));

    [Fact]
    public void Platform_names_no_module() =>
        Faults.None(Clone.Of("Platform").Where(file => file.Extension is ".cs").SelectMany(ModuleNameFaults));

    [Fact]
    public void The_types_are_really_looked_at()
    {
        Assert.All(Clone.Modules, module => Assert.NotEmpty(Types.InAssembly(Assembly.Load(module)).GetTypes()));
        Assert.Contains(OfTheHost().GetTypes(), type => type.Name == "Composition");
    }

    [Fact]
    public void Refuses_a_type_that_holds_another_modules_internals() =>
        Assert.NotEmpty(Dependents(Planted(nameof(Holder)), Hidden("Voting", entryToo: true)));

    [Fact]
    public void Refuses_a_method_body_that_calls_another_modules_internals() =>
        Assert.NotEmpty(Dependents(Planted(nameof(Caller)), Hidden("Voting", entryToo: true)));

    [Fact]
    public void Refuses_any_dependency_where_there_is_no_arrow() =>
        Assert.NotEmpty(Dependents(Planted(nameof(Reader)), ["Voting"]));

    [Fact]
    public void Refuses_a_call_of_an_entry() =>
        Assert.NotEmpty(Dependents(Planted(nameof(Starter)), ["Voting.VotingModule"]));

    [Fact]
    public void Takes_what_holds_contracts_only() =>
        Assert.Empty(Dependents(Planted(nameof(Reader)), Hidden("Voting", entryToo: true)));

    [Theory]
    [InlineData("class SurveyCache { }")]
    [InlineData("class Cache { int ballotCount; }")]
    [InlineData("class Cache { void Count(int votes) { } }")]
    [InlineData("class Cache { void RunTallies() { } }")]
    public void Refuses_a_word_of_voting_in_platform(string code) =>
        Assert.NotEmpty(WordFaults(SourceFile.Planted("src/Platform/Cache.cs", code)));

    [Theory]
    [InlineData("""class Names { string[] meters = ["Results"]; }""")]
    [InlineData("""class Names { string schema = "voting"; }""")]
    public void Refuses_a_modules_name_in_platform(string code) =>
        Assert.NotEmpty(ModuleNameFaults(SourceFile.Planted("src/Platform/Names.cs", code)));

    /// <returns>All types of a module but its contracts, as NetArchTest names them.</returns>
    private static IEnumerable<string> Hidden(string module, bool entryToo) => Assembly.Load(module).GetTypes()
        .Where(type => type is { IsNested: false, Namespace: not null }
            && type.Namespace.Split('.')[0] == module && type.Namespace != $"{module}.Contracts"
            && (entryToo || type.Name != $"{module}Module"))
        .Select(type => type.FullName!);

    private static IEnumerable<string> Dependents(Types types, IEnumerable<string> names) =>
        types.That().HaveDependencyOnAny([.. names]).GetTypes().Select(Fault);

    private static IEnumerable<string> Dependents(PredicateList types, IEnumerable<string> names) =>
        types.And().HaveDependencyOnAny([.. names]).GetTypes().Select(Fault);

    private static string Fault(Type type) => $"{type.FullName} depends on what it may not.";

    /// <summary>The rest of its assembly is what the Mediator generator wrote.</summary>
    private static PredicateList OfTheHost() =>
        Types.InAssembly(Assembly.Load("voting-host")).That().ResideInNamespaceMatching("^Host$");

    private static PredicateList Planted(string name) =>
        Types.InAssembly(typeof(DependencyTests).Assembly).That().HaveName(name);

    private static IEnumerable<string> WordFaults(SourceFile file) => file.Syntax.DescendantTokens()
        .Where(token => token.IsKind(SyntaxKind.IdentifierToken))
        .Where(token => NameTests.Words(token.ValueText).Any(VotingWords.Contains)
            && !GivenNames.Keys.Any(given => given.Equals(token.ValueText, StringComparison.OrdinalIgnoreCase)))
        .Select(token => file.At(token.Parent!, $"{token.ValueText} is a word of voting."));

    private static IEnumerable<string> ModuleNameFaults(SourceFile file) => file.Syntax.DescendantTokens()
        .Where(token => token.IsKind(SyntaxKind.StringLiteralToken)
            && Clone.Modules.Contains(token.ValueText, StringComparer.OrdinalIgnoreCase))
        .Select(token => file.At(token.Parent!, $"'{token.ValueText}' names a module."));

    private sealed class Holder(Voting.CastVote castVote)
    {
        public Voting.CastVote CastVote => castVote;
    }

    private static class Caller
    {
        public static string Call() => Voting.VotingTopics.All(1).ToString()!;
    }

    private sealed class Reader(Voting.Contracts.PublicSurvey survey)
    {
        public string Title => survey.Title;
    }

    private static class Starter
    {
        public static Platform.MigrationSet Start() => Voting.VotingModule.Migrations;
    }
}
