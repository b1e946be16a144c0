using System.Buffers.Binary;
using System.Diagnostics;
using System.Numerics;

namespace Audit;

/// <summary>Reads tiles of one log, all that a proof needs in one call.</summary>
/// <param name="tiles">Which, none twice, never bundles of entries.</param>
/// <param name="cancel">Ends the reading.</param>
/// <returns>In the same order the hashes of each, 32 bytes each; more than were asked for do no harm.</returns>
internal delegate ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> TileReader(
    IReadOnlyList<TileId> tiles, CancellationToken cancel);

/// <summary>Builds proofs of RFC 6962 from stored tiles. <see cref="ProofCheck"/> checks them.</summary>
internal static class TreeProofs
{
    /// <returns>The root of the log's first <paramref name="size"/> entries.</returns>
    /// <inheritdoc cref="InclusionAsync" path="/exception"/>
    public static async ValueTask<Digest> RootAsync(long size, TileReader read, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        return size == 0 ? TreeHash.Empty : (await HashAsync([(0, size)], size, read, cancel))[0];
    }

    /// <returns>The right edge of the log's first <paramref name="size"/> entries.</returns>
    /// <inheritdoc cref="InclusionAsync" path="/exception"/>
    public static async ValueTask<TreeFrontier> FrontierAsync(long size, TileReader read, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        var peaks = await HashAsync([.. Perfect((0, size)).Select(peak => peak.Range)], size, read, cancel);
        var bytes = new byte[sizeof(long) + (peaks.Length * Digest.Bytes)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, size);
        Digest.BytesOf(peaks).CopyTo(bytes.AsSpan(sizeof(long)));
        return TreeFrontier.TryParse(bytes, out var frontier)
            ? frontier : throw new UnreachableException("A size has a peak for each of its bits.");
    }

    /// <returns>The hashes from the leaf's sibling up to the root's child.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A tree of that size has no such entry.</exception>
    /// <exception cref="InvalidDataException">A tile that was read is shorter than the tree's size says.</exception>
    public static ValueTask<Digest[]> InclusionAsync(long index, long size, TileReader read, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);

        var siblings = new List<(long First, long End)>();
        for (var (first, end) = (0L, size); end - first > 1;)
        {
            var middle = first + LargestPowerBelow(end - first);
            siblings.Add(index < middle ? (middle, end) : (first, middle));
            (first, end) = index < middle ? (first, middle) : (middle, end);
        }

        siblings.Reverse();
        return HashAsync(siblings, size, read, cancel);
    }

    /// <returns>What shows that the tree of the earlier size is the beginning of the other.</returns>
    /// <remarks>The proof is empty from an empty tree, and from a tree to itself.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The earlier tree is the larger one.</exception>
    /// <exception cref="InvalidDataException">A tile that was read is shorter than the tree's size says.</exception>
    public static ValueTask<Digest[]> ConsistencyAsync(
        long earlierSize, long size, TileReader read, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(earlierSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(earlierSize, size);

        var ranges = new List<(long First, long End)>();
        if (earlierSize > 0)
        {
            var (first, end) = (0L, size);
            while (earlierSize != end)
            {
                var middle = first + LargestPowerBelow(end - first);
                ranges.Add(earlierSize <= middle ? (middle, end) : (first, middle));
                (first, end) = earlierSize <= middle ? (first, middle) : (middle, end);
            }

            // Whoever checks the proof knows the earlier root, so a subtree that is the whole earlier tree is left out.
            if (first != 0) ranges.Add((first, end));
            ranges.Reverse();
        }

        return HashAsync(ranges, size, read, cancel);
    }

    /// <summary>Computes the hash of each range from the tiles of a tree.</summary>
    private static async ValueTask<Digest[]> HashAsync(
        List<(long First, long End)> ranges, long size, TileReader read, CancellationToken cancel)
    {
        var tiles = ranges.SelectMany(Perfect).Select(node => node.Tile(size)).Distinct().ToArray();
        if (tiles.Length == 0) return [];

        var contents = await read(tiles, cancel);
        if (contents.Count != tiles.Length) throw new InvalidDataException("Not as many tiles were read as asked for.");
        var hashes = new Dictionary<TileId, ReadOnlyMemory<byte>>(tiles.Length);
        for (var i = 0; i < tiles.Length; i++)
        {
            if (contents[i].Length < tiles[i].Width * Digest.Bytes)
                throw new InvalidDataException($"The stored tile {tiles[i].Path} is cut off.");
            hashes.Add(tiles[i], contents[i][..(tiles[i].Width * Digest.Bytes)]);
        }

        return [.. ranges.Select(range => Perfect(range)
            .Select(node => node.Hash(Digest.Sequence(hashes[node.Tile(size)].Span)))
            .Reverse()
            .Aggregate((right, left) => TreeHash.Node(left, right)))];
    }

    /// <returns>The perfect subtrees that a subtree is made of, from left to right.</returns>
    private static IEnumerable<Subtree> Perfect((long First, long End) range)
    {
        for (var first = range.First; first < range.End;)
        {
            var height = BitOperations.Log2((ulong)(range.End - first));
            yield return new(height, first >> height);
            first += 1L << height;
        }
    }

    private static long LargestPowerBelow(long count) => 1L << BitOperations.Log2((ulong)count - 1);

    /// <summary>A perfect subtree.</summary>
    /// <param name="Level">How far its root is above the leaves.</param>
    /// <param name="Index">Counted from zero along its level.</param>
    private readonly record struct Subtree(int Level, long Index)
    {
        public (long First, long End) Range => (Index << Level, (Index + 1) << Level);

        private int HeightInTile => Level % TileId.Height;

        private long FirstHash => Index << HeightInTile;

        /// <returns>The tile that holds the hashes that its own is made of.</returns>
        public TileId Tile(long size)
        {
            var (level, index) = (Level / TileId.Height, FirstHash / TileId.FullWidth);
            return new(level, index, TileId.WidthAt(level, index, size));
        }

        public Digest Hash(ReadOnlySpan<Digest> tile) =>
            TreeHash.Perfect(tile.Slice((int)(FirstHash % TileId.FullWidth), 1 << HeightInTile));
    }
}
