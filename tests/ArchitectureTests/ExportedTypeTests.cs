using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace ArchitectureTests;

/// <summary>What a module shows to others: its contracts and its entry, each with a word on what it promises.</summary>
public sealed class ExportedTypeTests
{
    private const BindingFlags Shown =
        BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static TheoryData<string> Modules => Clone.ModuleData;

    public static TheoryData<string> Documented => [.. Clone.Modules, "Platform"];

    [Theory, MemberData(nameof(Modules))]
    public void A_module_shows_only_its_contracts_and_its_entry(string module)
    {
        var shown = Assembly.Load(module).GetExportedTypes();

        Assert.Contains(shown, type => type.FullName == $"{module}.{module}Module");
        Faults.None(Private(module, shown));
    }

    [Theory, MemberData(nameof(Modules))]
    public void The_entry_has_the_three_members_that_the_host_composes(string module)
    {
        var entry = Assembly.Load(module).GetType($"{module}.{module}Module", throwOnError: true)!;

        Assert.True(entry is { IsAbstract: true, IsSealed: true }, $"{entry} is static.");
        Assert.NotNull(entry.GetProperty("Migrations", Shown));
        Assert.NotNull(entry.GetMethod($"Add{module}", Shown));
        Assert.NotNull(entry.GetMethod($"Map{module}", Shown));
    }

    [Theory, MemberData(nameof(Documented))]
    public void Everything_shown_says_what_a_caller_may_rely_on(string project)
    {
        var assembly = Assembly.Load(project);

        Faults.None(Undocumented(assembly.GetExportedTypes(), Comments(assembly)));
    }

    [Fact]
    public void Every_message_that_is_sent_between_modules_is_a_contract() => Faults.None(Clone.Modules
        .SelectMany(module => Assembly.Load(module).GetTypes())
        .Where(IsPrivateMessage)
        .Select(type => $"{type} is sent, but no contract: inside a module nothing is sent."));

    [Fact]
    public void Refuses_a_public_type_outside_the_contracts() =>
        Assert.Equal(["System.String"], Private("Voting", [typeof(string)]));

    [Fact]
    public void Refuses_contracts_of_another_module() =>
        Assert.NotEmpty(Private("Results", [typeof(Voting.Contracts.PublicSurvey)]));

    [Fact]
    public void Refuses_a_type_and_a_member_without_a_comment() => Assert.Equal(
        ["T:ArchitectureTests.ExportedTypeTests.Silent", "M:ArchitectureTests.ExportedTypeTests.Silent.Act",
            "P:ArchitectureTests.ExportedTypeTests.Silent.Size"],
        Undocumented([typeof(Silent)], Comments(typeof(Silent).Assembly)));

    [Fact]
    public void Refuses_a_message_outside_the_contracts() => Assert.True(IsPrivateMessage(typeof(Whisper)));

    private static IEnumerable<string> Private(string module, IEnumerable<Type> shown) => shown
        .Where(type => type.Namespace != $"{module}.Contracts" && type.FullName != $"{module}.{module}Module")
        .Select(type => type.FullName!);

    private static bool IsPrivateMessage(Type type) =>
        type.IsAssignableTo(typeof(Mediator.IMessage))
        && type.Namespace?.EndsWith(".Contracts", StringComparison.Ordinal) != true;

    private static Dictionary<string, XElement> Comments(Assembly assembly) =>
        XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml")).Descendants("member")
            .ToDictionary(member => member.Attribute("name")!.Value);

    private static IEnumerable<string> Undocumented(IEnumerable<Type> types, Dictionary<string, XElement> comments)
    {
        foreach (var type in types)
        {
            var name = type.FullName!.Replace('+', '.');
            if (!IsSaid($"T:{name}")) yield return $"T:{name}";

            // A delegate is one sentence; its members are the compiler's.
            if (type.IsAssignableTo(typeof(Delegate))) continue;
            // A record's comment speaks for what stands in its brackets.
            var positional = type.GetConstructors().SelectMany(made => made.GetParameters())
                .Select(parameter => parameter.Name).ToHashSet();
            foreach (var member in type.GetMembers(Shown).Where(member => !positional.Contains(member.Name)))
            {
                var id = member switch
                {
                    MethodInfo { IsSpecialName: false } method when method.GetBaseDefinition() == method
                        && !method.IsDefined(typeof(CompilerGeneratedAttribute)) => $"M:{name}.{member.Name}",
                    PropertyInfo property when property.GetMethod?.GetBaseDefinition() == property.GetMethod
                        && property.Name is not "EqualityContract" => $"P:{name}.{member.Name}",
                    FieldInfo { IsSpecialName: false } => $"F:{name}.{member.Name}",
                    EventInfo => $"E:{name}.{member.Name}",
                    _ => null,
                };
                if (id is not null && !IsSaid(id)) yield return id;
            }
        }

        bool IsSaid(string id) => comments.Any(comment =>
            (comment.Key == id || comment.Key.StartsWith($"{id}(", StringComparison.Ordinal)
                || comment.Key.StartsWith($"{id}`", StringComparison.Ordinal))
            && comment.Value.Elements().Any(said => said.Name == "inheritdoc" || said.Value.Trim().Length > 0));
    }

    private sealed record Whisper : Mediator.IQuery<int>;

    public sealed class Silent
    {
        public int Size { get; init; }

        public static void Act()
        {
        }
    }
}
