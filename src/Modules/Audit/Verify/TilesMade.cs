namespace Audit;

/// <summary>The tiles of a growing tree, each as soon as it is as wide as in the whole one. Not thread safe.</summary>
/// <param name="size">Entries that the tree will have.</param>
internal sealed class TilesMade(long size)
{
    private readonly Dictionary<(int Level, long Index), List<byte>> _growing = [];

    /// <summary>Takes what the tree completes.</summary>
    public CompletedHashes Hashes { get; private set; } = new();

    /// <returns>Tiles that are whole now.</returns>
    public List<(TileId Tile, byte[] Hashes)> Take()
    {
        var whole = new List<(TileId, byte[])>();
        foreach (var part in Hashes.Parts())
        {
            var place = (part.Level, part.Index);
            if (!_growing.TryGetValue(place, out var hashes)) _growing.Add(place, hashes = []);
            hashes.AddRange(part.Hashes);
            if (part.Width != TileId.WidthAt(part.Level, part.Index, size)) continue;
            whole.Add((new(part.Level, part.Index, part.Width), [.. hashes]));
            _growing.Remove(place);
        }

        Hashes = new();
        return whole;
    }
}
