namespace Audit;

/// <summary>The hashes of a Merkle tree as RFC 6962 defines them.</summary>
internal static class TreeHash
{
    private const byte LeafPrefix = 0;
    private const byte NodePrefix = 1;

    /// <summary>The root of a tree without entries.</summary>
    public static Digest Empty { get; } = Digest.Of([]);

    /// <returns>The hash of the leaf that holds an entry.</returns>
    public static Digest Leaf(in Digest entry)
    {
        Span<byte> message = stackalloc byte[1 + Digest.Bytes];
        message[0] = LeafPrefix;
        entry.Span.CopyTo(message[1..]);
        return Digest.Of(message);
    }

    /// <returns>The hash of the node above two others.</returns>
    public static Digest Node(in Digest left, in Digest right)
    {
        Span<byte> message = stackalloc byte[1 + (2 * Digest.Bytes)];
        message[0] = NodePrefix;
        left.Span.CopyTo(message[1..]);
        right.Span.CopyTo(message[(1 + Digest.Bytes)..]);
        return Digest.Of(message);
    }

    /// <returns>The root of a perfect tree above these hashes, whose number is a power of two.</returns>
    public static Digest Perfect(ReadOnlySpan<Digest> hashes) => hashes.Length == 1
        ? hashes[0]
        : Node(Perfect(hashes[..(hashes.Length / 2)]), Perfect(hashes[(hashes.Length / 2)..]));
}
