using Audit;
using CsCheck;

namespace AuditTests;

public sealed class TreeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Around every width at which the shape of the tree, or of its tiles, changes.</summary>
    public static TheoryData<int> Sizes =>
        [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537];

    [Theory, MemberData(nameof(Sizes))]
    public async Task The_root_is_that_of_the_definition(int size)
    {
        var log = GrownLog.Of(size);
        byte[][] entries = [.. log.Entries.Select(entry => entry.ToArray())];

        Assert.Equal(NaiveTree.Root(entries), log.Root.ToArray());
        Assert.Equal(log.Root, await TreeProofs.RootAsync(size, log.ReadAsync, Cancel));
        Assert.Equal(size == 0 ? 0 : 1, log.Reads);
    }

    [Fact]
    public async Task Every_proof_of_every_small_tree_is_that_of_the_definition_and_convinces()
    {
        var log = GrownLog.Of(40);
        byte[][] all = [.. log.Entries.Select(entry => entry.ToArray())];
        for (var size = 1; size <= all.Length; size++)
        {
            var entries = all[..size];
            for (var i = 0; i < size; i++)
            {
                var path = await TreeProofs.InclusionAsync(i, size, log.ReadAsync, Cancel);
                Assert.Equal(NaiveTree.Path(i, entries), path.Select(hash => hash.ToArray()));
                Assert.True(ProofCheck.Includes(i, size, log.Entries[i], path, log.RootAt(size)));
            }

            for (var earlier = 1; earlier <= size; earlier++)
            {
                var proof = await TreeProofs.ConsistencyAsync(earlier, size, log.ReadAsync, Cancel);
                Assert.Equal(NaiveTree.Proof(earlier, entries), proof.Select(hash => hash.ToArray()));
                Assert.True(
                    ProofCheck.IsConsistent(earlier, log.RootAt(earlier), size, log.RootAt(size), proof));
            }
        }
    }

    [Fact]
    public async Task Proofs_of_a_large_tree_take_one_read_and_convince()
    {
        var log = GrownLog.Of(65_537);
        byte[][] entries = [.. log.Entries.Select(entry => entry.ToArray())];
        foreach (var size in new[] { 300, 65_537 })
        {
            foreach (var i in new[] { 0, 255, 256, size - 1 })
            {
                log.Asked.Clear();
                var reads = log.Reads;
                var path = await TreeProofs.InclusionAsync(i, size, log.ReadAsync, Cancel);

                Assert.Equal(NaiveTree.Path(i, entries.AsSpan(0, size)), path.Select(hash => hash.ToArray()));
                Assert.True(ProofCheck.Includes(i, size, log.Entries[i], path, log.RootAt(size)));
                Assert.Equal(1, log.Reads - reads);
                Assert.InRange(log.Asked.Count, 1, 5);
                Assert.All(log.Asked, tile => Assert.True(tile.IsOf(size)));
            }

            foreach (var earlier in new[] { 1, 256, 299, size - 1 })
            {
                var proof = await TreeProofs.ConsistencyAsync(earlier, size, log.ReadAsync, Cancel);
                Assert.Equal(
                    NaiveTree.Proof(earlier, entries.AsSpan(0, size)), proof.Select(hash => hash.ToArray()));
                Assert.True(
                    ProofCheck.IsConsistent(earlier, log.RootAt(earlier), size, log.RootAt(size), proof));
            }
        }
    }

    [Fact]
    public async Task Nothing_but_the_true_proof_convinces()
    {
        var log = GrownLog.Of(50);
        var sizes = Gen.Select(Gen.Int[1, 50], Gen.Int[0, 49], Gen.Int[0, 255], Gen.Int[0, 5]);
        await sizes.SampleAsync(async (size, draw, bit, fault) =>
        {
            var index = draw % size;
            var path = await TreeProofs.InclusionAsync(index, size, log.ReadAsync, CancellationToken.None);
            var proof = await TreeProofs.ConsistencyAsync(index + 1, size, log.ReadAsync, CancellationToken.None);
            var (root, earlierRoot, entry) = (log.RootAt(size), log.RootAt(index + 1), log.Entries[index]);
            var included = fault switch
            {
                0 => ProofCheck.Includes(index, size, Flip(entry, bit), path, root),
                1 => ProofCheck.Includes(index, size, entry, path, Flip(root, bit)),
                2 => ProofCheck.Includes(index, size, entry, [.. path, root], root),
                3 => path.Length > 0 && ProofCheck.Includes(index, size, entry, path.AsSpan(1), root),
                4 => path.Length > 0 && ProofCheck.Includes(index, size, entry, Altered(path, bit), root),
                _ => ProofCheck.Includes(size, size, entry, path, root),
            };
            var consistent = fault switch
            {
                0 => ProofCheck.IsConsistent(index + 1, Flip(earlierRoot, bit), size, root, proof),
                1 => ProofCheck.IsConsistent(index + 1, earlierRoot, size, Flip(root, bit), proof),
                2 => ProofCheck.IsConsistent(index + 1, earlierRoot, size, root, [.. proof, root]),
                3 => proof.Length > 0
                    && ProofCheck.IsConsistent(index + 1, earlierRoot, size, root, proof.AsSpan(1)),
                4 => proof.Length > 0
                    && ProofCheck.IsConsistent(index + 1, earlierRoot, size, root, Altered(proof, bit)),
                _ => index + 1 != size && ProofCheck.IsConsistent(size, root, index + 1, earlierRoot, proof),
            };
            Assert.False(included);
            Assert.False(consistent);
        });
    }

    [Fact]
    public void Every_tree_begins_with_the_empty_one()
    {
        var log = GrownLog.Of(3);
        Assert.True(ProofCheck.IsConsistent(0, TreeHash.Empty, 3, log.Root, []));
        Assert.True(ProofCheck.IsConsistent(0, TreeHash.Empty, 0, TreeHash.Empty, []));
        Assert.False(ProofCheck.IsConsistent(0, log.Root, 3, log.Root, []));
        Assert.False(ProofCheck.IsConsistent(0, TreeHash.Empty, 3, log.Root, [log.Root]));
        Assert.False(ProofCheck.IsConsistent(0, TreeHash.Empty, 0, log.Root, []));
        Assert.False(ProofCheck.IsConsistent(-1, TreeHash.Empty, 0, TreeHash.Empty, []));
    }

    [Fact]
    public void Appending_in_pieces_gives_the_tiles_of_appending_at_once() =>
        Gen.Int[0, 700].Array[1, 6].Sample(pieces =>
        {
            var (grown, whole) = (new GrownLog(), GrownLog.Of(pieces.Sum()));
            foreach (var piece in pieces) grown.Grow(piece);

            Assert.Equal(whole.Root, grown.Root);
            Assert.Equal(whole.Tiles.Order(), grown.Tiles.Order());
            Assert.Equal(
                TileId.Of(whole.Size).Select(tile => (tile.Level, tile.Index, tile.Width)), whole.Tiles.Order());
            Assert.All(TileId.Of(whole.Size), tile => Assert.Equal(whole.Tile(tile), grown.Tile(tile)));
        }, iter: 50);

    [Fact]
    public void A_copy_of_the_edge_goes_its_own_way()
    {
        var first = new TreeFrontier();
        first.Append([GrownLog.Entry(0), GrownLog.Entry(1), GrownLog.Entry(2)]);
        var (root, copy) = (first.Root, first.Copy());
        copy.Append(GrownLog.Entry(3));

        Assert.Equal(root, first.Root);
        Assert.Equal(GrownLog.Of(4).Root, copy.Root);
        Assert.Equal((3, 4), (first.Size, copy.Size));
    }

    [Fact]
    public void An_edge_that_is_none_is_refused()
    {
        var edge = new TreeFrontier();
        edge.Append([GrownLog.Entry(0), GrownLog.Entry(1), GrownLog.Entry(2)]);
        var bytes = edge.ToArray();

        Assert.True(TreeFrontier.TryParse(bytes, out var read));
        Assert.Equal(bytes, read.ToArray());
        Assert.False(TreeFrontier.TryParse(bytes.AsSpan(1), out _));
        Assert.False(TreeFrontier.TryParse(bytes.AsSpan(0, bytes.Length - 1), out _));
        Assert.False(TreeFrontier.TryParse([.. bytes, 0], out _));
        Assert.False(TreeFrontier.TryParse([], out _));
        bytes[0] = 0x80;
        Assert.False(TreeFrontier.TryParse(bytes, out _));
    }

    [Fact]
    public async Task A_stored_tile_that_is_cut_off_is_named()
    {
        var log = GrownLog.Of(300);
        TileReader cut = async (tiles, cancel) =>
            [.. (await log.ReadAsync(tiles, cancel)).Select(tile => tile[1..])];

        var fault = await Assert.ThrowsAsync<InvalidDataException>(
            async () => await TreeProofs.InclusionAsync(299, 300, cut, Cancel));

        Assert.Contains("tile/", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proof_of_what_a_tree_does_not_have_is_no_question()
    {
        var log = GrownLog.Of(3);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await TreeProofs.InclusionAsync(3, 3, log.ReadAsync, Cancel));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await TreeProofs.ConsistencyAsync(4, 3, log.ReadAsync, Cancel));
    }

    private static Digest Flip(Digest digest, int bit)
    {
        var bytes = digest.ToArray();
        bytes[bit / 8] ^= (byte)(1 << bit % 8);
        return new(bytes);
    }

    private static Digest[] Altered(Digest[] proof, int bit)
    {
        Digest[] altered = [.. proof];
        altered[bit % proof.Length] = Flip(altered[bit % proof.Length], bit);
        return altered;
    }
}
