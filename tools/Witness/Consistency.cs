using System.Security.Cryptography;

namespace Witness;

/// <summary>Checks by RFC 6962 (2.1.2) that one tree is the beginning of another.</summary>
internal static class Consistency
{
    public static bool Holds(long oldSize, byte[] oldRoot, long size, byte[] root, byte[][] proof)
    {
        // Every tree begins with the empty one.
        if (oldSize == 0)
            return proof.Length == 0 && (size > 0 || root.AsSpan().SequenceEqual(SHA256.HashData([])));
        return Roots(proof, 0, size, oldSize, oldRoot) is var (old, @new)
            && old.AsSpan().SequenceEqual(oldRoot) && @new.AsSpan().SequenceEqual(root);
    }

    /// <returns>
    /// The roots, old and new, that the proof leads to for the leaves from first to end; null if it has another length.
    /// </returns>
    private static (byte[] Old, byte[] New)? Roots(
        ReadOnlySpan<byte[]> proof, long first, long end, long oldSize, byte[] oldRoot)
    {
        if (oldSize == end)
        {
            if (first == 0) return proof.IsEmpty ? (oldRoot, oldRoot) : null;
            return proof.Length == 1 ? (proof[0], proof[0]) : null;
        }

        if (proof.IsEmpty) return null;
        var middle = 1L;
        while (middle < end - first - middle) middle *= 2;
        middle += first;
        var sibling = proof[^1];
        if (oldSize <= middle)
        {
            return Roots(proof[..^1], first, middle, oldSize, oldRoot) is var (old, left)
                ? (old, Node(left, sibling)) : null;
        }

        return Roots(proof[..^1], middle, end, oldSize, oldRoot) is var (oldRight, right)
            ? (Node(sibling, oldRight), Node(sibling, right)) : null;
    }

    private static byte[] Node(byte[] left, byte[] right) => SHA256.HashData([1, .. left, .. right]);
}
