namespace Audit;

/// <summary>One log as the archive holds it. Only what the log's own keys signed is seen.</summary>
/// <param name="log">Which log.</param>
/// <param name="keys">Its keys.</param>
/// <param name="store">The archive.</param>
internal sealed class ArchivedLog(SealedLog log, IReadOnlyCollection<VerifierKey> keys, IArchiveStore store)
{
    /// <summary>The newest checkpoint behind a number.</summary>
    /// <returns>Null when there is none; what others put there under higher numbers hides nothing.</returns>
    /// <exception cref="ArchiveContradictionException">The archive holds two of one number, or one that the log's keys
    /// noted and did not sign.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<CheckpointDocument?> NewestAsync(long after, CancellationToken cancel)
    {
        var before = long.MaxValue;
        while (await store.NewestCheckpointAsync(log.Folder, after, before, cancel) is { } found)
        {
            if (await ReadAsync(found, cancel) is { } document) return document;
            before = found.Number;
        }

        return null;
    }

    /// <returns>The checkpoint of that number; null when there is none.</returns>
    /// <inheritdoc cref="NewestAsync" path="/exception"/>
    public async Task<CheckpointDocument?> FindAsync(long number, CancellationToken cancel) =>
        await store.NewestCheckpointAsync(log.Folder, number - 1, number + 1, cancel) is { } found
            ? await ReadAsync(found, cancel)
            : null;

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

    private async Task<CheckpointDocument?> ReadAsync(ArchivedCheckpoint found, CancellationToken cancel)
    {
        CheckpointDocument? document = null;
        foreach (var version in found.Versions.Where(one => one.SizeBytes <= CheckpointDocument.SizeBytesMax))
        {
            var content = await store.ReadAsync(version.Key, version.VersionId, cancel);
            if (content is null || !CheckpointDocument.TryParse(content.Bytes, out var read)
                || read.Statement.Log != log.Name || read.Statement.Number != found.Number || !read.IsNotedBy(keys))
            {
                continue;
            }

            if (!read.IsSignedBy(keys))
            {
                throw new ArchiveContradictionException(
                    log.Name, $"checkpoint {found.Number} in the archive is signed by a key that is not here");
            }

            if (document is not null && document.Digest != read.Digest)
            {
                throw new ArchiveContradictionException(
                    log.Name, $"the archive holds two checkpoints {found.Number}, both signed by this log");
            }

            document = read;
        }

        return document;
    }
}

/// <summary>
/// Archive and database say different things of a log. Nothing more is sealed before somebody has found out why: going
/// on could show two histories of one log.
/// </summary>
internal sealed class ArchiveContradictionException(string log, string what)
    : Exception($"Log {log}: {what}. Nothing more is sealed: see docs/operations/sealing.md.");
