using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>Known answers, which <c>vectors.py</c> computed without any code of ours.</summary>
public sealed class VectorTests
{
    private static readonly JsonElement Vectors = JsonDocument.Parse(File.ReadAllText(Path.Combine(
        Repository.Root, "tests", "AuditTests", "Transparency", "vectors.json"))).RootElement;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_answers_are_those_that_are_computed_anew()
    {
        var directory = Path.Combine(Repository.Root, "tests", "AuditTests", "Transparency");

        using var python = Started(new("python3", [Path.Combine(directory, "vectors.py")])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        });
        var made = await python.StandardOutput.ReadToEndAsync(Cancel);
        await python.WaitForExitAsync(Cancel);

        Assert.Equal(0, python.ExitCode);
        var kept = await File.ReadAllTextAsync(Path.Combine(directory, "vectors.json"), Cancel);
        Assert.Equal(kept.TrimEnd(), made.TrimEnd());
    }

    [Fact]
    public void A_leaf_and_a_node_have_the_known_hashes()
    {
        var (leaf, node) = (Vectors.GetProperty("hashes")[0], Vectors.GetProperty("hashes")[1]);

        Assert.Equal(Hash(leaf, "leaf"), TreeHash.Leaf(Hash(leaf, "entry")));
        Assert.Equal(Hash(node, "node"), TreeHash.Node(Hash(node, "left"), Hash(node, "right")));
        Assert.Equal(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            Convert.ToHexStringLower(TreeHash.Empty.Span));
    }

    [Fact]
    public void Trees_have_the_known_roots()
    {
        var roots = Cases("roots");
        Assert.True(roots.Length > 70);
        Assert.All(roots, one => Assert.Equal(Hash(one, "root"), GrownLog.Of(Size(one, "size")).Root));
    }

    [Fact]
    public void Known_proofs_of_inclusion_convince_where_they_are_right()
    {
        var cases = Cases("inclusion");
        Assert.True(cases.Length > 300);
        Assert.All(cases, one => Assert.True(WantErr(one) != ProofCheck.Includes(
            Size(one, "index"), Size(one, "size"), Hash(one, "entry"), Proof(one), Hash(one, "root")), $"{one}"));
    }

    [Fact]
    public void Known_proofs_of_consistency_convince_where_they_are_right()
    {
        var cases = Cases("consistency");
        Assert.True(cases.Length > 300);
        Assert.All(cases, one => Assert.True(WantErr(one) != ProofCheck.IsConsistent(
            Size(one, "size1"), Hash(one, "root1"), Size(one, "size2"), Hash(one, "root2"), Proof(one)), $"{one}"));
    }

    [Fact]
    public async Task Our_proofs_are_the_known_ones()
    {
        var log = GrownLog.Of(70_000);
        foreach (var one in Cases("inclusion").Where(one => !WantErr(one)))
        {
            Assert.Equal(Proof(one), await TreeProofs.InclusionAsync(
                Size(one, "index"), Size(one, "size"), log.ReadAsync, Cancel));
        }

        foreach (var one in Cases("consistency").Where(one => !WantErr(one)))
        {
            Assert.Equal(Proof(one), await TreeProofs.ConsistencyAsync(
                Size(one, "size1"), Size(one, "size2"), log.ReadAsync, Cancel));
        }
    }

    private static JsonElement[] Cases(string kind) => [.. Vectors.GetProperty(kind).EnumerateArray()];

    private static int Size(JsonElement one, string name) => one.GetProperty(name).GetInt32();

    private static Digest Hash(JsonElement one, string name) => new(one.GetProperty(name).GetBytesFromBase64());

    private static Digest[] Proof(JsonElement one) =>
        [.. one.GetProperty("proof").EnumerateArray().Select(hash => new Digest(hash.GetBytesFromBase64()))];

    private static bool WantErr(JsonElement one) => one.GetProperty("wantErr").GetBoolean();

    private static Process Started(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            Assert.Fail("Python is missing. Install it (Debian, Ubuntu: apt-get install python3), then try again.");
            throw;
        }
    }
}
