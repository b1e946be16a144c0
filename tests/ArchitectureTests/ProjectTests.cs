using Testing;

namespace ArchitectureTests;

/// <summary>Who may reference whom. The compiler holds code to these references, since none is transitive.</summary>
public sealed class ProjectTests
{
    private const string Switch = "DisableTransitiveProjectReferences";

    /// <summary>Every arrow between modules. To add one, add it here and say why in the commit.</summary>
    internal static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Identity"] = [],
        ["Voting"] = ["Identity"],
        ["Results"] = ["Voting"],
        ["Audit"] = ["Voting"],
        ["Backoffice"] = ["Identity", "Voting", "Results", "Audit"],
    };

    /// <summary>Those who see internals of a project that is not the one they test, and why.</summary>
    private static readonly Dictionary<(string Project, string Friend), string> OtherFriends = new()
    {
        [("Platform", "IdentityTests")] = "Reads keys and signed tokens as the platform itself does.",
        [("Voting", "voting-bench")] = "Measures counting without a process and a log around it.",
        [("Audit", "voting-bench")] = "Measures verifying without what a process takes to start.",
    };

    [Fact]
    public void Every_module_on_disk_has_its_arrows_listed() =>
        Assert.Equal(Arrows.Keys.Order(), Clone.Modules.Order());

    [Fact]
    public void No_arrow_leads_back()
    {
        var drawn = new HashSet<string>();
        foreach (var _ in Arrows) drawn.UnionWith(Arrows.Keys.Where(module => Arrows[module].All(drawn.Contains)));

        Assert.Equal(Arrows.Keys.Order(), drawn.Order());
    }

    [Fact]
    public void Every_project_references_what_the_table_says() =>
        Faults.None(Clone.Projects.SelectMany(ReferenceFaults));

    [Fact]
    public void No_reference_is_transitive()
    {
        Assert.Contains($"<{Switch}>true</{Switch}>", Read("Directory.Build.props"), StringComparison.Ordinal);
        Faults.None(Clone.Files.Where(file => file.Extension is ".csproj" or ".props" or ".targets")
            .SelectMany(TransitiveFaults));
    }

    [Fact]
    public void Internals_are_seen_by_the_projects_own_tests_and_the_mediator_generator_only() =>
        Faults.None(Clone.Projects.SelectMany(FriendFaults).Concat(Clone.Sources.SelectMany(FriendFaults)));

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = Read("Voting.sln").Replace('\\', '/');

        Assert.NotEmpty(Clone.Projects);
        Faults.None(Clone.Projects.Select(project => $"{project.Directory}/{project.Name}.csproj")
            .Where(path => !solution.Contains($"\"{path}\"", StringComparison.Ordinal)));
    }

    // A rule that cannot fail protects nothing, so each is shown something it must refuse.

    [Theory]
    [InlineData("src/Modules/Identity", "Platform", "Voting")]
    [InlineData("src/Modules/Voting", "Platform", "Identity", "Results")]
    [InlineData("src/Modules/Voting", "Platform")]
    [InlineData("src/Platform", "Identity")]
    [InlineData("src/Host", "Platform", "Identity", "Voting", "Results", "Audit")]
    [InlineData("src/Modules/Newcomer", "Platform")]
    [InlineData("tools/Sandbox", "Platform")]
    [InlineData("tests/ResultsTests", "Results", "Audit")]
    [InlineData("tests/EndToEndTests", "Testing", "Voting")]
    [InlineData("elsewhere/Voting")]
    public void Refuses_a_reference_that_is_not_in_the_table(string directory, params string[] references) =>
        Assert.NotEmpty(ReferenceFaults(Planted(directory) with { References = references }));

    [Fact]
    public void Refuses_a_tool_that_is_built_with_the_product() =>
        Assert.NotEmpty(ReferenceFaults(Planted("tools/Sandbox") with { Runs = ["Host"] }));

    [Fact]
    public void Refuses_a_project_that_turns_transitive_references_on_again() => Assert.NotEmpty(TransitiveFaults(
        SourceFile.Planted("src/Modules/Voting/Voting.csproj", $"<Project><{Switch}>false</{Switch}></Project>")));

    [Theory]
    [InlineData("src/Modules/Voting", "Results")]
    [InlineData("src/Modules/Voting", "ResultsTests")]
    [InlineData("src/Platform", "voting-host")]
    [InlineData("tools/Sandbox", "ToolTests")]
    public void Refuses_to_show_internals_to_others(string directory, string friend) =>
        Assert.NotEmpty(FriendFaults(Planted(directory) with { Friends = [friend] }));

    [Fact]
    public void Refuses_to_show_internals_by_an_attribute_in_the_code() => Assert.NotEmpty(FriendFaults(
        SourceFile.Planted("src/Platform/Friends.cs", $"[assembly: {"Internals" + "VisibleTo"}(\"Results\")]")));

    private static IEnumerable<string> ReferenceFaults(Project project)
    {
        var (must, may) = References(project);
        foreach (var missing in must.Except(project.References))
            yield return $"{project.Name} does not reference {missing}.";
        foreach (var extra in project.References.Except(must).Except(may))
            yield return $"{project.Name} references {extra}.";
        if (!project.Directory.StartsWith("tests/", StringComparison.Ordinal) && project.Runs.Count > 0)
            yield return $"{project.Name} is built with {string.Join(", ", project.Runs)}.";
    }

    private static (string[] Must, string[] May) References(Project project)
    {
        var tested = project.Name.EndsWith("Tests", StringComparison.Ordinal) ? project.Name[..^"Tests".Length] : "";
        return project.Directory.Split('/') switch
        {
            ["src", "Platform"] => ([], []),
            ["src", "Host"] => (["Platform", .. Arrows.Keys], []),
            ["src", "Modules", var module] when Arrows.TryGetValue(module, out var arrows) =>
                (["Platform", .. arrows], []),
            ["tests", "ArchitectureTests"] => (["Platform", "Host", "Testing", .. Arrows.Keys], []),
            ["tests", "PlatformTests"] => (["Platform"], ["Testing"]),
            ["tests", _] when Arrows.TryGetValue(tested, out var arrows) =>
                ([tested], ["Platform", "Testing", .. arrows]),
            // They know the product by what it answers. Chaos also holds the platform's log to its contract.
            ["tests", "ChaosTests"] => ([], ["Platform", "Testing"]),
            // It measures a part of the product in its own process; all else it starts.
            ["tools", "Bench"] => (["Platform", "Voting", "Audit"], []),
            ["tests", "Testing"] or ["tools", _] => ([], []),
            ["tests", _] => ([], ["Testing"]),
            _ => (["a place in the layout"], []),
        };
    }

    private static IEnumerable<string> TransitiveFaults(SourceFile file) => file.Lines
        .Where(line => line.Contains(Switch, StringComparison.Ordinal)
            && !line.Contains($"<{Switch}>true</{Switch}>", StringComparison.Ordinal))
        .Select(line => $"{file.Path}: {line.Trim()}");

    private static IEnumerable<string> FriendFaults(Project project)
    {
        string[] expected = project.Directory.Split('/') switch
        {
            // The generator writes the host's code that hands a module's queries to the module's handlers.
            ["src", "Modules", _] => ["voting-host", $"{project.Name}Tests", "ArchitectureTests"],
            ["src", _] => [$"{project.Name}Tests", "ArchitectureTests"],
            _ => [],
        };
        return project.Friends
            .Where(friend => !expected.Contains(friend) && !OtherFriends.ContainsKey((project.Name, friend)))
            .Select(friend => $"{project.Name} shows its internals to {friend}.");
    }

    private static IEnumerable<string> FriendFaults(SourceFile file) =>
        file.Path.StartsWith("tests/ArchitectureTests/", StringComparison.Ordinal)
            || !file.Text.Contains("InternalsVisibleTo", StringComparison.Ordinal)
            ? []
            : [$"{file.Path} shows internals: the project file says who sees them."];

    private static Project Planted(string directory) => new(directory.Split('/')[^1], directory, [], [], [], "");

    private static string Read(string path) => File.ReadAllText(Path.Combine(Repository.Root, path));
}
