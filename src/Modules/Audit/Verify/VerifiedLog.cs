namespace Audit;

/// <summary>A log that was read to its end and found whole.</summary>
/// <param name="Name">Such as <c>votes-07</c>.</param>
/// <param name="Origin">As its checkpoints say.</param>
/// <param name="Checkpoints">How many are archived; null where only the newest one is shown.</param>
/// <param name="Size">Its entries.</param>
/// <param name="Root">Over all entries, computed anew.</param>
internal sealed record VerifiedLog(string Name, string Origin, long? Checkpoints, long Size, Digest Root);
