using System.Runtime.InteropServices;

namespace Audit;

/// <summary>What a segment adds to a log's tree. Not thread safe.</summary>
internal sealed class LogGrowth
{
    private readonly CompletedHashes _completed = new();
    private readonly List<Digest> _entries = [];
    private readonly List<GrownRange> _ranges = [];
    private readonly long _first;

    /// <param name="before">The tree before; it is not changed.</param>
    public LogGrowth(TreeFrontier before) => (Frontier, _first) = (before.Copy(), before.Size);

    /// <summary>The tree with what was added.</summary>
    public TreeFrontier Frontier { get; }

    /// <summary>How many entries were added.</summary>
    public int Count => _entries.Count;

    /// <summary>Index of the first one.</summary>
    public long FirstIndex => _first;

    /// <summary>What each range brought.</summary>
    public IReadOnlyList<GrownRange> Ranges => _ranges;

    /// <summary>What is added from here on is of this range.</summary>
    public void Begin(OffsetRange range) => _ranges.Add(new(range, Frontier.Size, 0));

    public void Add(in Digest entry)
    {
        Frontier.Append(entry, _completed);
        _entries.Add(entry);
        CollectionsMarshal.AsSpan(_ranges)[^1].Count++;
    }

    /// <summary>What the tiles gained that are stored: entries, and levels from 1 up.</summary>
    public IEnumerable<TilePart> Tiles()
    {
        for (var taken = 0; taken < _entries.Count;)
        {
            var (index, from) = Math.DivRem(_first + taken, TileId.FullWidth);
            var count = (int)Math.Min(TileId.FullWidth - from, _entries.Count - taken);
            var entries = CollectionsMarshal.AsSpan(_entries).Slice(taken, count);
            yield return new(TileId.EntriesLevel, index, (int)from, Digest.BytesOf(entries).ToArray());
            taken += count;
        }

        foreach (var part in _completed.Parts(fromLevel: 1)) yield return part;
    }
}

/// <summary>What one range brought.</summary>
internal record struct GrownRange(OffsetRange Range, long FirstIndex, int Count);
