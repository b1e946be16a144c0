using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Testing;

namespace ArchitectureTests;

/// <summary>
/// The clone as it lies on the disk: every rule takes its subjects from here, so none has to be registered.
/// </summary>
internal static class Clone
{
    /// <summary>All files but what <c>.gitignore</c> names.</summary>
    public static IReadOnlyList<SourceFile> Files { get; } = [.. Walk(new DirectoryInfo(Repository.Root), Ignored())];

    /// <summary>C# files, generated ones excluded: those lie in ignored directories.</summary>
    public static IReadOnlyList<SourceFile> Sources { get; } = [.. Files.Where(file => file.Extension is ".cs")];

    public static IReadOnlyList<Project> Projects { get; } =
        [.. Files.Where(file => file.Extension is ".csproj").Select(Project.Parse)];

    /// <summary>By name; the directories of <c>src/Modules</c>.</summary>
    public static IReadOnlyList<string> Modules { get; } = [.. Projects
        .Where(project => project.Directory.StartsWith("src/Modules/", StringComparison.Ordinal))
        .Select(project => project.Name).Order(StringComparer.Ordinal)];

    public static TheoryData<string> ModuleData => [.. Modules];

    /// <returns>What lies below a project's directory.</returns>
    public static IEnumerable<SourceFile> Of(string project)
    {
        var directory = Projects.Single(candidate => candidate.Name == project).Directory + "/";
        return Files.Where(file => file.Path.StartsWith(directory, StringComparison.Ordinal));
    }

    private static HashSet<string> Ignored() =>
    [
        ".git",
        .. File.ReadLines(Path.Combine(Repository.Root, ".gitignore"))
            .Where(line => line.EndsWith('/')).Select(line => line.Trim('/')),
    ];

    private static IEnumerable<SourceFile> Walk(DirectoryInfo directory, HashSet<string> ignored)
    {
        foreach (var file in directory.GetFiles().Where(file => !ignored.Contains(file.Name)))
            yield return new(Path.GetRelativePath(Repository.Root, file.FullName).Replace('\\', '/'), file.FullName);
        foreach (var below in directory.GetDirectories().Where(below => !ignored.Contains(below.Name)))
        {
            foreach (var file in Walk(below, ignored)) yield return file;
        }
    }
}

/// <summary>One file, read and parsed when a rule first asks for it.</summary>
internal sealed class SourceFile
{
    private static readonly CSharpParseOptions Newest = new(LanguageVersion.Preview, DocumentationMode.Parse);
    private readonly Lazy<string> _text;
    private readonly Lazy<SyntaxNode> _syntax;

    public SourceFile(string path, string fullPath)
        : this(path, () => File.ReadAllText(fullPath))
    {
    }

    private SourceFile(string path, Func<string> read)
    {
        Path = path;
        _text = new(read);
        _syntax = new(() => CSharpSyntaxTree.ParseText(Text, Newest, path).GetRoot());
    }

    /// <summary>From the clone's root, with slashes.</summary>
    public string Path { get; }

    public string Extension => System.IO.Path.GetExtension(Path);

    public string Text => _text.Value;

    public string[] Lines => Text.Split('\n');

    public SyntaxNode Syntax => _syntax.Value;

    /// <returns>A file that is not there: what a rule must refuse.</returns>
    public static SourceFile Planted(string path, string text) => new(path, () => text);

    public string At(SyntaxNode node, string fault) =>
        $"{Path}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1}: {fault}";
}

/// <summary>What a project file says.</summary>
/// <param name="Name">The file's name without its ending.</param>
/// <param name="Directory">From the clone's root, with slashes.</param>
/// <param name="References">Projects whose types it can name.</param>
/// <param name="Runs">Projects that are built before it and no more.</param>
/// <param name="Friends">Assemblies that see its internals.</param>
/// <param name="Text">The whole file.</param>
internal sealed record Project(
    string Name, string Directory, IReadOnlyList<string> References, IReadOnlyList<string> Runs,
    IReadOnlyList<string> Friends, string Text)
{
    public static Project Parse(SourceFile file)
    {
        var xml = XDocument.Parse(file.Text);
        var references = xml.Descendants("ProjectReference").ToLookup(
            reference => (string?)reference.Attribute("ReferenceOutputAssembly") is not "false",
            reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));
        return new(
            Path.GetFileNameWithoutExtension(file.Path), Path.GetDirectoryName(file.Path)!.Replace('\\', '/'),
            [.. references[true]], [.. references[false]],
            [.. xml.Descendants("InternalsVisibleTo").Select(friend => friend.Attribute("Include")!.Value)],
            file.Text);
    }
}

internal static class Faults
{
    /// <summary>Fails with all of them: whoever broke a rule wants to see every place at once.</summary>
    public static void None(IEnumerable<string> faults)
    {
        var all = faults.ToArray();
        Assert.True(all.Length == 0, string.Join('\n', all.Prepend($"{all.Length} faults:")));
    }
}
