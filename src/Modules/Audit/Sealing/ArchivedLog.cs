namespace Audit;

/// <summary>One log as the archive holds it. Only what the log's own keys signed is seen.</summary>
/// <param name="log">Which log.</param>
/// <param name="keysOf">Its keys, by the number of a checkpoint: those that may have signed it.</param>
/// <param name="store">The archive.</param>
internal sealed class ArchivedLog(
    SealedLog log, Func<long, IReadOnlyCollection<VerifierKey>> keysOf, IArchiveStore store)
{
    /// <summary>The newest checkpoint behind a number.</summary>
    /// <param name="after">The number.</param>
    /// <param name="size">Entries of the largest tree that is known to be signed.</param>
    /// <param name="cancel">Ends the search.</param>
    /// <returns>Null when there is none; what others put there under higher numbers hides nothing.</returns>
    /// <exception cref="ArchiveContradictionException">The archive holds two of one number, or a note by the log of a
    /// tree that is larger than any other, in a document that none of its keys signed.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<CheckpointDocument?> NewestAsync(long after, long size, CancellationToken cancel)
    {
        var (before, noted) = (long.MaxValue, size);
        CheckpointDocument? document = null;
        (long Number, ArchiveStoreException Why)? lowestRefused = null;
        while (document is null
            && await store.NewestCheckpointAsync(log.Folder, after, before, cancel) is { } found)
        {
            (document, var unsigned, var refused) = await ReadAsync(found, cancel);
            (before, noted) = (found.Number, Math.Max(noted, unsigned));
            if (document is null && refused is not null) lowestRefused = (found.Number, refused);
        }

        // The log numbers without gaps: what the store refuses to give and does not come next is not the log's.
        if (lowestRefused is var (number, why) && number <= (document?.Statement.Number ?? after) + 1)
        {
            throw new ArchiveStoreException(
                $"{why.Message} It may be checkpoint {number} of log {log.Name}: none is signed before it can be read.",
                false, why)
            { IsCold = why.IsCold };
        }

        // Notes are public: anybody may put one again, but only of a tree that was shown.
        if (noted <= Math.Max(size, document?.Statement.Size ?? 0)) return document;
        throw new ArchiveContradictionException(
            log.Name, $"a checkpoint of {noted} entries in the archive is signed by a key that is not here");
    }

    /// <returns>Whether there is anything at all where the log's checkpoints belong.</returns>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<bool> HoldsOthersAsync(CancellationToken cancel) =>
        await store.NewestCheckpointAsync(log.Folder, 0, long.MaxValue, cancel) is not null;

    /// <returns>The checkpoint of that number; null when there is none.</returns>
    /// <exception cref="ArchiveContradictionException">The archive holds two.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<CheckpointDocument?> FindAsync(long number, CancellationToken cancel)
    {
        if (await store.NewestCheckpointAsync(log.Folder, number - 1, number + 1, cancel) is not { } found) return null;
        var (document, _, refused) = await ReadAsync(found, cancel);
        return document is null && refused is not null ? throw refused : document;
    }

    /// <summary>Reads a checkpoint's segment.</summary>
    /// <exception cref="ArchiveContradictionException">It is not there, or its bytes are others.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<byte[]> SegmentAsync(CheckpointStatement of, CancellationToken cancel)
    {
        var content = await store.ReadAsync(of.Segment.Key, of.Segment.VersionId, cancel)
            ?? throw new ArchiveContradictionException(
                log.Name, $"the archive does not hold the segment of checkpoint {of.Number}");
        return content.Is(of.Segment.Digest.Span) ? content.Bytes : throw new ArchiveContradictionException(
            log.Name, $"the segment of checkpoint {of.Number} has other bytes than its checkpoint says");
    }

    /// <returns>
    /// What the log signed; the largest tree that it noted in what others signed; what the store said of a version that
    /// it refused to give.
    /// </returns>
    private async Task<(CheckpointDocument? Document, long Unsigned, ArchiveStoreException? Refused)> ReadAsync(
        ArchivedCheckpoint found, CancellationToken cancel)
    {
        var keys = keysOf(found.Number);
        CheckpointDocument? document = null;
        ArchiveStoreException? refused = null;
        var unsigned = 0L;
        foreach (var version in found.Versions.Where(one => one.SizeBytes <= CheckpointDocument.SizeBytesMax))
        {
            ArchivedContent? content;
            try
            {
                content = await store.ReadAsync(version.Key, version.VersionId, cancel);
            }
            catch (ArchiveStoreException e) when (!e.IsTransient)
            {
                refused = e;
                continue;
            }

            if (content is null || !CheckpointDocument.TryParse(content.Bytes, out var read)
                || read.Statement.Log != log.Name || read.Statement.Number != found.Number || !read.IsNotedBy(keys))
            {
                continue;
            }

            if (!read.IsSignedBy(keys))
            {
                unsigned = Math.Max(unsigned, read.Statement.Size);
                continue;
            }

            if (document is not null && document.Digest != read.Digest)
            {
                throw new ArchiveContradictionException(
                    log.Name, $"the archive holds two checkpoints {found.Number}, both signed by this log");
            }

            document = read;
        }

        return (document, unsigned, refused);
    }
}

/// <summary>
/// Archive and database say different things of a log. Nothing more is sealed before somebody has found out why: going
/// on could show two histories of one log.
/// </summary>
internal sealed class ArchiveContradictionException(string log, string what)
    : Exception($"Log {log}: {what}. Nothing more is sealed: see docs/operations/sealing.md.");
