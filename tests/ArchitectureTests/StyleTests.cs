using System.Xml.Linq;
using Testing;

namespace ArchitectureTests;

/// <summary>That the build refuses what is out of style; the rules stand in <c>.editorconfig</c>.</summary>
public sealed class StyleTests
{
    /// <summary>Each does nothing without the others.</summary>
    private static readonly string[] Switches =
        ["EnforceCodeStyleInBuild", "TreatWarningsAsErrors", "GenerateDocumentationFile"];

    [Fact]
    public void Style_is_an_error_of_every_build()
    {
        var all = XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props"));
        foreach (var name in Switches) Assert.Equal("true", Assert.Single(all.Descendants(name)).Value);
        Faults.None(Clone.Files.Where(file => file.Extension is ".csproj" or ".props" or ".targets")
            .SelectMany(file => SwitchFaults(file.Path, XDocument.Parse(file.Text))));
    }

    [Theory]
    [InlineData("EnforceCodeStyleInBuild", "false")]
    [InlineData("TreatWarningsAsErrors", "")]
    [InlineData("GenerateDocumentationFile", "$(Docs)")]
    [InlineData("RunAnalyzers", "false")]
    [InlineData("WarningsNotAsErrors", "IDE0005")]
    public void Refuses_a_project_that_looks_away(string name, string value) => Assert.NotEmpty(
        SwitchFaults("x.csproj", new(new XElement("Project", new XElement(name, value)))));

    private static IEnumerable<string> SwitchFaults(string path, XDocument project) => project.Descendants()
        .Where(element =>
            (Switches.Contains(element.Name.LocalName) && element.Value != "true")
            || element.Name.LocalName is "RunAnalyzers" or "RunAnalyzersDuringBuild" or "WarningsNotAsErrors")
        .Select(element => $"{path}: {element.Name.LocalName} is {element.Value}.");
}
