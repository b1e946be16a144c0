namespace Audit;

/// <summary>What lies under one number.</summary>
/// <param name="Number">1 or more.</param>
/// <param name="Checkpoints">Versions of its <c>checkpoint.json</c>, newest first.</param>
/// <param name="Segments">Versions of its segment.</param>
internal sealed record CheckpointPlace(
    long Number, List<ArchivedVersion> Checkpoints, List<ArchivedVersion> Segments);

/// <summary>What lies in a checkpoint's place and is not signed by a known key.</summary>
/// <param name="Why">What is wrong with it, if there has to be one.</param>
internal sealed record UnsignedCheckpoint(Finding Why)
{
    /// <summary>What the store said where it refused to give it.</summary>
    public ArchiveStoreException? Refusal { get; init; }

    /// <summary>Entries of the largest tree of the log's own that a note in it is of; 0 for none.</summary>
    public long NotedSize { get; init; }

    /// <returns>To be thrown where the checkpoint is needed: nobody can tell what a refused one says.</returns>
    public Exception Failure() => Refusal ?? (Exception)new BrokenEvidenceException(Why);
}
