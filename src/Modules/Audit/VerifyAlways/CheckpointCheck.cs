namespace Audit;

/// <summary>
/// Verifies one published checkpoint of a log by itself, out of the archive, and that what everybody is shown says the
/// same. Safe for use by many threads.
/// </summary>
/// <remarks>
/// The tree below the checkpoint is taken from the public tiles: they give the root that the checkpoint before signed,
/// or they are wrong. So nothing has to be read from the log's beginning, and nothing has to be remembered.
/// </remarks>
internal sealed class CheckpointCheck(
    IArchiveStore store, TileTable tiles, PublishedLogs published, LogVerifiers verifiers, DifferenceMetrics metrics)
{
    /// <summary>Whatever can be found.</summary>
    public static string[] Kinds { get; } =
    [
        Problems.CheckpointMissing, Problems.CheckpointMalformed, Problems.CheckpointSignature,
        Problems.CheckpointChain, Problems.CheckpointClaims, Problems.Fork, Problems.Rollback, Problems.SegmentMissing,
        Problems.SegmentDigest, Problems.Entry, Problems.Chain, Problems.Root, Problems.Tile, Problems.NotCovered,
    ];

    /// <param name="log">Which log.</param>
    /// <param name="number">Which checkpoint.</param>
    /// <param name="before">The one before it, if it has just been read.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>The checkpoint, or what is wrong.</returns>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    public async Task<(SealedCheckpoint? Checkpoint, Difference? Failure)> RunAsync(
        SealedLog log, long number, SealedCheckpoint? before, CancellationToken cancel)
    {
        try
        {
            if (number > 1) before ??= await FindAsync(log, number - 1, null, cancel);
        }
        catch (BrokenEvidenceException e)
        {
            // Named as what it is: the one before.
            return (null, Failure(e.Finding, number - 1));
        }

        try
        {
            var checkpoint = await FindAsync(log, number, before, cancel);
            var entries = await CheckEntriesAsync(log, checkpoint, before?.Statement, cancel);
            if (entries is not null) await CheckShownAsync(log, checkpoint.Statement, entries, cancel);
            await CheckContinuedAsync(log, checkpoint.Statement, cancel);
            return (checkpoint, null);
        }
        catch (BrokenEvidenceException e)
        {
            return (null, Failure(e.Finding, number));
        }
    }

    private static Difference Failure(Finding finding, long number) => new(
        finding.Problem, null, number,
        finding.Index is { } index ? string.Create(null, $"Entry {index}: {finding.Detail}") : finding.Detail);

    /// <summary>By the keys that the log has, and has had; by no others.</summary>
    private Task<SealedCheckpoint> FindAsync(
        SealedLog log, long number, SealedCheckpoint? before, CancellationToken cancel) =>
        new LogCheckpoints(store, log.Name, new(verifiers(log, number), []), static _ => true)
            .FindAsync(number, before, cancel);

    /// <returns>The entries; null where they are in cold storage.</returns>
    private async Task<List<Digest>?> CheckEntriesAsync(
        SealedLog log, SealedCheckpoint checkpoint, CheckpointStatement? before, CancellationToken cancel)
    {
        var named = checkpoint.Statement.Segment;
        ArchivedContent? segment;
        try
        {
            segment = await store.ReadAsync(named.Key, named.VersionId, cancel);
        }
        catch (ArchiveStoreException e) when (e.IsCold)
        {
            metrics.Cold();
            return null;
        }

        var tree = await TreeAsync(log, before, cancel);
        var entries = new List<Digest>();
        new VerifyLog(store, log.Name, new([], []), new(), new())
            .CheckOne(checkpoint, segment, tree, before?.LastHash ?? default, Take, cancel);
        return entries;

        void Take(in ArchivedEntry entry) => entries.Add(entry.Digest);
    }

    private async Task<TreeFrontier> TreeAsync(SealedLog log, CheckpointStatement? before, CancellationToken cancel)
    {
        if (before is null) return new();
        try
        {
            var tree = await TreeProofs.FrontierAsync(before.Size, tiles.Of(log.Name), cancel);
            if (tree.Root == before.Root) return tree;
        }
        catch (InvalidDataException e)
        {
            throw Shown(log, e.Message);
        }

        throw Shown(
            log, $"The tiles do not make the tree of {before.Size} entries that checkpoint {before.Number} signs.");
    }

    /// <summary>What everybody is shown has these entries.</summary>
    private async Task CheckShownAsync(
        SealedLog log, CheckpointStatement statement, List<Digest> entries, CancellationToken cancel)
    {
        var first = statement.Size - statement.Entries;
        var bundles = TileId.Of(statement.Size, first).Where(tile => tile.Level == 0)
            .Select(tile => tile with { Level = TileId.EntriesLevel }).ToArray();
        var shown = await tiles.ReadAsync(log.Name, bundles, cancel);
        for (var index = first; index < statement.Size; index++)
        {
            var bundle = Array.FindIndex(bundles, one => one.Index == index / TileId.FullWidth);
            var place = (int)(index % TileId.FullWidth) * Digest.Bytes;
            if (bundle < 0 || shown[bundle].Length < place + Digest.Bytes
                || !shown[bundle].Span.Slice(place, Digest.Bytes).SequenceEqual(entries[(int)(index - first)].Span))
            {
                throw Shown(log, $"Entry {index} is not shown as it is archived.");
            }
        }

    }

    /// <summary>What everybody is shown is a signed tree that continues this one.</summary>
    private async Task CheckContinuedAsync(SealedLog log, CheckpointStatement statement, CancellationToken cancel)
    {
        if (await NewestAsync(log, cancel) is not { } newest || newest.Checkpoint.Size < statement.Size)
        {
            throw new BrokenEvidenceException(new(
                log.Name, null, null, Problems.Rollback, "The checkpoint that is shown is of a smaller tree."));
        }

        if (newest.Verify(Keys(log), out _) is not NoteVerdict.Verified)
        {
            throw new BrokenEvidenceException(new(
                log.Name, null, null, Problems.CheckpointSignature, "No key of the log signed what is shown."));
        }

        await CheckContinuedAsync(log, statement, newest.Checkpoint, cancel);
    }

    private async Task<SignedCheckpoint?> NewestAsync(SealedLog log, CancellationToken cancel)
    {
        try
        {
            return await published.NewestAsync(log.Name, isCosigned: false, cancel);
        }
        catch (InvalidDataException e)
        {
            throw new BrokenEvidenceException(new(log.Name, null, null, Problems.CheckpointMalformed, e.Message));
        }
    }

    private async Task CheckContinuedAsync(
        SealedLog log, CheckpointStatement statement, Checkpoint newest, CancellationToken cancel)
    {
        try
        {
            var proof = await TreeProofs.ConsistencyAsync(
                statement.Size, newest.Size, tiles.Of(log.Name), cancel);
            if (ProofCheck.IsConsistent(statement.Size, statement.Root, newest.Size, newest.Root, proof)) return;
        }
        catch (InvalidDataException e)
        {
            throw Shown(log, e.Message);
        }

        throw new BrokenEvidenceException(new(
            log.Name, null, null, Problems.Fork,
            $"The tree of {newest.Size} entries that is shown does not continue the archived {statement.Size}."));
    }

    private IReadOnlyList<VerifierKey> Keys(SealedLog log) => verifiers(log);

    private static BrokenEvidenceException Shown(SealedLog log, string detail) =>
        new(new(log.Name, null, null, Problems.Tile, detail));
}
