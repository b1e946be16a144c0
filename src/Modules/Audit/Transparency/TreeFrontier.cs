using System.Buffers.Binary;
using System.Numerics;

namespace Audit;

/// <summary>
/// The right edge of a tree: all that is needed to add entries and to know the root, in at most 2 KiB. Not thread safe.
/// </summary>
internal sealed class TreeFrontier
{
    private const int SizeBytes = sizeof(long);

    // By height, the root of the perfect subtree that ends at the right edge; there is one where the size has a bit.
    private readonly Digest[] _peaks = new Digest[63];

    /// <summary>The number of entries.</summary>
    public long Size { get; private set; }

    /// <summary>The root over all entries. Costs as many hashes as the size has bits.</summary>
    public Digest Root
    {
        get
        {
            if (Size == 0) return TreeHash.Empty;
            var height = BitOperations.TrailingZeroCount(Size);
            var root = _peaks[height];
            for (height++; height < _peaks.Length && Size >> height != 0; height++)
            {
                if ((Size >> height & 1) != 0) root = TreeHash.Node(_peaks[height], root);
            }

            return root;
        }
    }

    /// <summary>Reads what <see cref="ToArray"/> wrote.</summary>
    /// <returns>False if the bytes are of no tree. Whether they are of the right one, the root tells.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out TreeFrontier frontier)
    {
        frontier = new();
        if (bytes.Length < SizeBytes) return false;
        var size = BinaryPrimitives.ReadInt64BigEndian(bytes);
        if (size < 0 || bytes.Length != SizeBytes + (BitOperations.PopCount((ulong)size) * Digest.Bytes)) return false;

        frontier.Size = size;
        var peaks = Digest.Sequence(bytes[SizeBytes..]);
        for (var height = frontier._peaks.Length - 1; height >= 0; height--)
        {
            if ((size >> height & 1) == 0) continue;
            frontier._peaks[height] = peaks[0];
            peaks = peaks[1..];
        }

        return true;
    }

    /// <summary>Adds one entry.</summary>
    /// <param name="entry">The entry itself, not the hash of its leaf.</param>
    /// <param name="completed">Takes the hashes that now stand in tiles; null if nobody asks for them.</param>
    public void Append(in Digest entry, CompletedHashes? completed = null)
    {
        var hash = TreeHash.Leaf(entry);
        var height = 0;
        completed?.Add(0, Size, hash);
        for (; (Size >> height & 1) != 0; height++)
        {
            hash = TreeHash.Node(_peaks[height], hash);
            var above = height + 1;
            if (above % TileId.Height == 0) completed?.Add(above / TileId.Height, Size >> above, hash);
        }

        _peaks[height] = hash;
        Size = checked(Size + 1);
    }

    /// <summary>Adds entries in their order, as one by one.</summary>
    /// <inheritdoc cref="Append(in Digest, CompletedHashes?)" path="/param[@name='completed']"/>
    public void Append(ReadOnlySpan<Digest> entries, CompletedHashes? completed = null)
    {
        foreach (ref readonly var entry in entries) Append(entry, completed);
    }

    /// <returns>Another one of the same tree, which goes its own way from here.</returns>
    public TreeFrontier Copy()
    {
        var copy = new TreeFrontier { Size = Size };
        _peaks.CopyTo(copy._peaks, 0);
        return copy;
    }

    /// <returns>The size (8 bytes, big-endian), then the roots of the perfect subtrees from left to right.</returns>
    public byte[] ToArray()
    {
        var bytes = new byte[SizeBytes + (BitOperations.PopCount((ulong)Size) * Digest.Bytes)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, Size);
        var rest = bytes.AsSpan(SizeBytes);
        for (var height = _peaks.Length - 1; height >= 0; height--)
        {
            if ((Size >> height & 1) == 0) continue;
            _peaks[height].Span.CopyTo(rest);
            rest = rest[Digest.Bytes..];
        }

        return bytes;
    }
}
