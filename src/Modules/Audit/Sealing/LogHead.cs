namespace Audit;

/// <summary>How far a log is sealed, as the database had it.</summary>
/// <param name="Log">The log's name.</param>
/// <param name="Version">What a writer names to be sure that nobody wrote in between.</param>
/// <param name="Checkpoint">Number of the newest checkpoint; 0 before the first.</param>
/// <param name="Frontier">The tree's right edge; with its size and root.</param>
/// <param name="LastHash">The chain's last link; zero before the first entry.</param>
/// <param name="Offsets">By source, the next offset to be sealed; 0 of sources that are not there.</param>
/// <param name="Document">The newest checkpoint; null before the first.</param>
/// <param name="Intent">What is being sealed; null while nothing is.</param>
/// <param name="Published">Number of the newest checkpoint that the archive is known to hold.</param>
internal sealed record LogHead(
    string Log, long Version, long Checkpoint, TreeFrontier Frontier, Digest LastHash,
    IReadOnlyDictionary<string, long> Offsets, CheckpointDocument? Document, SealIntent? Intent, long Published)
{
    /// <summary>Entries of the log.</summary>
    public long Size => Frontier.Size;

    /// <summary>The next offset of a source to be sealed.</summary>
    public long OffsetOf(string source) => Offsets.GetValueOrDefault(source);

    /// <returns>The offsets behind ranges that were sealed.</returns>
    public Dictionary<string, long> OffsetsBehind(IEnumerable<OffsetRange> ranges)
    {
        var behind = new Dictionary<string, long>(Offsets, StringComparer.Ordinal);
        foreach (var range in ranges) behind[range.Source] = range.To;
        return behind;
    }
}
