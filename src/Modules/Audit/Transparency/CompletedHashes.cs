using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Audit;

/// <summary>The hashes that appending to one tree completed, as they stand in its tiles. Not thread safe.</summary>
internal sealed class CompletedHashes
{
    private readonly List<(long First, List<Digest> Hashes)> _levels = [];

    /// <summary>Whether none was completed.</summary>
    public bool IsEmpty => _levels.Count == 0;

    /// <summary>Takes the next hash of a level.</summary>
    public void Add(int level, long position, in Digest hash)
    {
        // A level's first hash comes after one of the level below: no level is left out.
        if (level == _levels.Count) _levels.Add((position, []));
        var (first, hashes) = _levels[level];
        Debug.Assert(position == first + hashes.Count, "A hash was left out or came twice.");
        hashes.Add(hash);
    }

    /// <summary>
    /// The tiles that were touched, by level and index; of each the hashes that came, and where in the tile they begin.
    /// </summary>
    /// <param name="fromLevel">What lies below is left out.</param>
    public IEnumerable<TilePart> Parts(int fromLevel = 0)
    {
        for (var level = fromLevel; level < _levels.Count; level++)
        {
            var (first, hashes) = _levels[level];
            for (var taken = 0; taken < hashes.Count;)
            {
                var (index, from) = Math.DivRem(first + taken, TileId.FullWidth);
                var count = (int)Math.Min(TileId.FullWidth - from, hashes.Count - taken);
                yield return new(level, index, (int)from, Slice(hashes, taken, count));
                taken += count;
            }
        }
    }

    private static byte[] Slice(List<Digest> hashes, int from, int count) =>
        Digest.BytesOf(CollectionsMarshal.AsSpan(hashes).Slice(from, count)).ToArray();
}

/// <summary>What one tile gained.</summary>
/// <param name="Level">Level of the tile.</param>
/// <param name="Index">Its index on that level.</param>
/// <param name="From">How many hashes it had before, 0 to 255.</param>
/// <param name="Hashes">The hashes that follow those, 32 bytes each; at least one.</param>
internal sealed record TilePart(int Level, long Index, int From, byte[] Hashes)
{
    /// <summary>How many hashes the tile has with these, 1 to 256.</summary>
    public int Width => From + (Hashes.Length / Digest.Bytes);
}
