using Audit;

namespace AuditTests;

/// <summary>A log in memory, whose tiles are put together from what appending reports.</summary>
internal sealed class GrownLog
{
    /// <summary>Roots of larger trees are computed when asked for: a root costs many hashes.</summary>
    private const int RootCountMax = 600;

    private readonly Dictionary<(int Level, long Index), byte[]> _tiles = [];
    private readonly List<Digest> _roots = [TreeHash.Empty];
    private readonly List<Digest> _entries = [];
    private TreeFrontier _frontier = new();

    public long Size => _frontier.Size;

    public Digest Root => _frontier.Root;

    public IReadOnlyList<Digest> Entries => _entries;

    /// <summary>How many times tiles were read.</summary>
    public int Reads { get; private set; }

    /// <summary>What was asked for, from the first read on.</summary>
    public List<TileId> Asked { get; } = [];

    public static GrownLog Of(int size)
    {
        var log = new GrownLog();
        log.Grow(size);
        return log;
    }

    /// <summary>An entry of every test's log: any 32 bytes, told apart by their index.</summary>
    public static Digest Entry(long index) => Digest.Of(BitConverter.GetBytes(index));

    public Digest RootAt(int size)
    {
        if (size < _roots.Count) return _roots[size];
        var tree = new TreeFrontier();
        tree.Append(_entries.ToArray().AsSpan(0, size));
        return tree.Root;
    }

    public void Grow(int count)
    {
        // As a process does that is started anew: from the stored edge.
        Assert.True(TreeFrontier.TryParse(_frontier.ToArray(), out _frontier));
        var completed = new CompletedHashes();
        for (var i = 0; i < count; i++)
        {
            var entry = Entry(Size);
            _frontier.Append(entry, completed);
            _entries.Add(entry);
            if (_roots.Count <= RootCountMax) _roots.Add(_frontier.Root);
        }

        foreach (var part in completed.Parts())
        {
            var stored = _tiles.GetValueOrDefault((part.Level, part.Index), []);
            Assert.Equal(part.From * Digest.Bytes, stored.Length);
            _tiles[(part.Level, part.Index)] = [.. stored, .. part.Hashes];
            Assert.Equal(part.Width * Digest.Bytes, _tiles[(part.Level, part.Index)].Length);
        }
    }

    public byte[] Tile(TileId tile) => _tiles[(tile.Level, tile.Index)][..(tile.Width * Digest.Bytes)];

    public IEnumerable<(int Level, long Index, int Width)> Tiles =>
        _tiles.Select(tile => (tile.Key.Level, tile.Key.Index, tile.Value.Length / Digest.Bytes));

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadAsync(
        IReadOnlyList<TileId> tiles, CancellationToken cancel)
    {
        Reads++;
        Asked.AddRange(tiles);
        Assert.Equal(tiles.Count, tiles.Distinct().Count());
        return new([.. tiles.Select(tile => (ReadOnlyMemory<byte>)_tiles[(tile.Level, tile.Index)])]);
    }
}
