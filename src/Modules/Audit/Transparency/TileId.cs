using System.Globalization;

namespace Audit;

/// <summary>One tile of a tree, or one bundle of its entries, as the read API names it.</summary>
/// <param name="Level">0 to 63; <see cref="EntriesLevel"/> for a bundle of entries.</param>
/// <param name="Index">Counted from zero along its level.</param>
/// <param name="Width">How many hashes, or entries, are in it: 1 to <see cref="FullWidth"/>.</param>
internal readonly record struct TileId(int Level, long Index, int Width)
{
    /// <summary>How many levels of the tree a tile spans.</summary>
    public const int Height = 8;

    /// <summary>How many hashes a tile holds that is not partial.</summary>
    public const int FullWidth = 1 << Height;

    /// <summary>Stands in <see cref="Level"/> of a bundle of entries.</summary>
    public const int EntriesLevel = -1;

    private const int LevelMax = 63;
    private const string Root = "tile/";
    private const string Partial = ".p/";

    /// <summary>Where it is found below the log's prefix: <c>tile/0/x001/067.p/5</c>.</summary>
    public string Path
    {
        get
        {
            var groups = (Index % 1000).ToString("000", CultureInfo.InvariantCulture);
            for (var rest = Index / 1000; rest > 0; rest /= 1000)
                groups = string.Create(CultureInfo.InvariantCulture, $"x{rest % 1000:000}/{groups}");
            var level = Level == EntriesLevel ? "entries" : Level.ToString(CultureInfo.InvariantCulture);
            return Width == FullWidth
                ? $"{Root}{level}/{groups}"
                : string.Create(CultureInfo.InvariantCulture, $"{Root}{level}/{groups}{Partial}{Width}");
        }
    }

    /// <summary>Takes a path as <see cref="Path"/> writes it, and no other spelling.</summary>
    public static bool TryParse(ReadOnlySpan<char> path, out TileId tile)
    {
        tile = default;
        if (!path.StartsWith(Root, StringComparison.Ordinal)) return false;
        var rest = path[Root.Length..];
        var slash = rest.IndexOf('/');
        if (slash < 0 || !TryLevel(rest[..slash], out var level)) return false;
        rest = rest[(slash + 1)..];

        long width = FullWidth;
        var partial = rest.IndexOf(Partial, StringComparison.Ordinal);
        if (partial >= 0)
        {
            if (!StrictText.TryNumber(rest[(partial + Partial.Length)..], out width)) return false;
            if (width is 0 or >= FullWidth) return false;
            rest = rest[..partial];
        }

        if (!TryIndex(rest, out var index)) return false;
        tile = new(level, index, (int)width);
        // Zeros too many, groups of another length, a missing x: all are another spelling.
        return path.SequenceEqual(tile.Path);
    }

    /// <returns>How many hashes there are on a level of a tree of that size; none above level 7.</returns>
    public static long CountAt(int level, long size) => level switch
    {
        EntriesLevel => size,
        < sizeof(long) => size >> (Height * level),
        _ => 0,
    };

    /// <returns>How wide a tile is in a tree of that size, 1 to 256; 0 if the tree does not have it.</returns>
    public static int WidthAt(int level, long index, long size)
    {
        var count = CountAt(level, size);
        return index > count / FullWidth ? 0 : (int)Math.Min(FullWidth, count - (index * FullWidth));
    }

    /// <summary>The tiles, without bundles of entries, that a tree has which an earlier one had not.</summary>
    /// <param name="size">Entries of the tree.</param>
    /// <param name="earlierSize">Entries of the earlier one; 0 for all tiles.</param>
    /// <returns>By level and index, each as wide as it is in the tree.</returns>
    public static IEnumerable<TileId> Of(long size, long earlierSize = 0)
    {
        for (var level = 0; CountAt(level, size) > 0; level++)
        {
            var index = CountAt(level, earlierSize) / FullWidth;
            for (; WidthAt(level, index, size) is > 0 and var width; index++)
            {
                if (WidthAt(level, index, earlierSize) != width) yield return new(level, index, width);
            }
        }
    }

    /// <returns>Whether a tree of that size has the tile with as many hashes, or more: these stay right.</returns>
    public bool IsOf(long size) => Width <= WidthAt(Level, Index, size);

    private static bool TryLevel(ReadOnlySpan<char> text, out int level)
    {
        level = EntriesLevel;
        if (text is "entries") return true;
        var valid = StrictText.TryNumber(text, out var number) && number <= LevelMax;
        level = valid ? (int)number : 0;
        return valid;
    }

    private static bool TryIndex(ReadOnlySpan<char> text, out long index)
    {
        index = 0;
        // Seven groups hold the largest number.
        if (text.IsEmpty || text.Length > 7 * 5) return false;
        foreach (var character in text)
        {
            if (character is 'x' or '/') continue;
            var digit = character - '0';
            if (digit is < 0 or > 9 || index > (long.MaxValue - digit) / 10) return false;
            index = (index * 10) + digit;
        }

        return true;
    }
}
