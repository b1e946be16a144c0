using System.Globalization;
using System.Text.RegularExpressions;

namespace Audit;

/// <summary>The names of archived objects: the same in a bucket and in a directory.</summary>
internal static partial class ArchiveKey
{
    /// <summary>
    /// Largest object, in bytes: one request stores it, one buffer holds it. 10,000 votes make a few million bytes.
    /// </summary>
    public const int ContentSizeBytesMax = 256 * 1024 * 1024;

    /// <summary>Highest number of a checkpoint: ten digits keep names in the order of numbers.</summary>
    public const long CheckpointMax = 9_999_999_999;

    /// <summary>In no key: a directory has it in the names of further versions.</summary>
    public const string VersionMark = ".version-";

    private const int LengthMax = 512;
    private const string Folder = "checkpoint_";
    private const string FileName = "checkpoint.json";

    /// <summary>Where a log's checkpoint is kept.</summary>
    /// <param name="log">Such as <c>votes/votes-07</c>.</param>
    /// <param name="number">1 or more.</param>
    public static string Checkpoint(string log, long number) => $"{In(log, number)}{FileName}";

    /// <summary>Where the entries are kept that a log's checkpoint seals.</summary>
    public static string Segment(string log, long number) => $"{In(log, number)}segment.ndjson.zst";

    /// <summary>What everything of one checkpoint begins with: <c>votes/votes-07/checkpoint_0000000001/</c>.</summary>
    public static string In(string log, long number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, CheckpointMax);
        return $"{log}/{Folder}{number.ToString("D10", CultureInfo.InvariantCulture)}/";
    }

    /// <summary>The number in a key of <paramref name="log"/>; false for every other key.</summary>
    public static bool TryReadNumber(string log, string key, out long number)
    {
        number = 0;
        var start = log.Length + 1 + Folder.Length;
        return key.Length > start + 10
            && key.StartsWith($"{log}/{Folder}", StringComparison.Ordinal)
            && key[start + 10] == '/'
            && long.TryParse(key.AsSpan(start, 10), NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>Refuses a key that would be another one in a file system, or outside of its root.</summary>
    /// <exception cref="ArgumentException">It is none of ours.</exception>
    public static void Require(string key)
    {
        if (key.Length > LengthMax || !Pattern().IsMatch(key) || key.Contains(VersionMark, StringComparison.Ordinal))
            throw new ArgumentException($"'{key}' is no archive key.");
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*\z", RegexOptions.None, 1000)]
    private static partial Regex Pattern();
}
