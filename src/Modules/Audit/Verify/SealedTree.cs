namespace Audit;

/// <summary>What one checkpoint sealed, as far as statements are compared with it.</summary>
/// <param name="Size">Entries of the log.</param>
/// <param name="Root">Over them.</param>
/// <param name="RecordsEnd">In a log of votes: the first record of its partition that is not in it.</param>
/// <param name="At">When sealing began, as the checkpoint says.</param>
internal readonly record struct SealedTree(long Size, Digest Root, long RecordsEnd, DateTimeOffset At);
