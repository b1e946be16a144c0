using System.Numerics;

namespace Audit;

/// <summary>Checks proofs as RFC 9162 (2.1.3.2, 2.1.4.2) says, which are those of RFC 6962. Never throws.</summary>
internal static class ProofCheck
{
    /// <param name="index">Which entry, counted from zero.</param>
    /// <param name="size">Entries of the tree.</param>
    /// <param name="entry">The entry itself, not the hash of its leaf.</param>
    /// <param name="proof">From the leaf's sibling up to the root's child.</param>
    /// <param name="root">The root of that tree.</param>
    /// <returns>Whether the entry stands there.</returns>
    public static bool Includes(long index, long size, in Digest entry, ReadOnlySpan<Digest> proof, in Digest root)
    {
        if (index < 0 || index >= size) return false;

        var (node, last) = (index, size - 1);
        var hash = TreeHash.Leaf(entry);
        foreach (ref readonly var sibling in proof)
        {
            if (last == 0) return false;
            if ((node & 1) != 0 || node == last)
            {
                hash = TreeHash.Node(sibling, hash);
                Skip(ref node, ref last);
            }
            else
            {
                hash = TreeHash.Node(hash, sibling);
            }

            (node, last) = (node >> 1, last >> 1);
        }

        return last == 0 && hash == root;
    }

    /// <summary>Checks that one tree is the beginning of another. Every tree begins with the empty one.</summary>
    public static bool IsConsistent(
        long earlierSize, in Digest earlierRoot, long size, in Digest root, ReadOnlySpan<Digest> proof)
    {
        if (earlierSize < 0 || earlierSize > size) return false;
        if (earlierSize == 0)
            return proof.IsEmpty && earlierRoot == TreeHash.Empty && (size > 0 || root == TreeHash.Empty);
        if (earlierSize == size) return proof.IsEmpty && earlierRoot == root;

        // A tree that is itself a subtree of the other is left out of the proof: its root is known.
        var start = earlierRoot;
        if (!BitOperations.IsPow2(earlierSize))
        {
            if (proof.IsEmpty) return false;
            start = proof[0];
            proof = proof[1..];
        }

        var (node, last) = (earlierSize - 1, size - 1);
        var shared = BitOperations.TrailingZeroCount(~node);
        (node, last) = (node >> shared, last >> shared);
        var (earlier, later) = (start, start);
        foreach (ref readonly var hash in proof)
        {
            if (last == 0) return false;
            if ((node & 1) != 0 || node == last)
            {
                earlier = TreeHash.Node(hash, earlier);
                later = TreeHash.Node(hash, later);
                Skip(ref node, ref last);
            }
            else
            {
                later = TreeHash.Node(later, hash);
            }

            (node, last) = (node >> 1, last >> 1);
        }

        return last == 0 && earlier == earlierRoot && later == root;
    }

    /// <summary>Climbs past the levels where the node at the right edge has no sibling.</summary>
    private static void Skip(ref long node, ref long last)
    {
        while ((node & 1) == 0 && node != 0) (node, last) = (node >> 1, last >> 1);
    }
}
