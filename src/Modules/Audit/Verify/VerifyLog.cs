namespace Audit;

/// <summary>
/// Verifies one archived log from its first entry to its last: signatures, the chain of checkpoints, the chain of
/// entries, the tree, and where each entry came from. Runs once.
/// </summary>
/// <param name="store">The archive.</param>
/// <param name="log">The log's name.</param>
/// <param name="keys">What signatures are checked with.</param>
/// <param name="remembered">What an earlier run saw; takes what this one sees.</param>
/// <param name="progress">Is told of entries.</param>
/// <param name="isKnown">As for <see cref="LogCheckpoints"/>; by default every number is.</param>
internal sealed class VerifyLog(
    IArchiveStore store, string log, TrustedKeys keys, RememberedLogs remembered, VerifyProgress progress,
    Predicate<long>? isKnown = null)
{
    private TreeFrontier _tree = new();
    private readonly List<long> _firstIndexes = [];
    private Digest _last;
    private (long Size, Digest Root)? _seen;

    /// <summary>By checkpoint, from the first one: the digests that its note may have in the log of logs.</summary>
    public List<IReadOnlyList<Digest>> Notes { get; } = [];

    /// <summary>By checkpoint, from the first one: what it sealed.</summary>
    public List<SealedTree> Trees { get; } = [];

    /// <summary>As the checkpoints say; null until one was read.</summary>
    public string? Origin { get; private set; }

    /// <summary>What lies in the log's folder and is no part of it.</summary>
    public LeftOut LeftOut { get; private set; } = new();

    /// <summary>Whether something was wrong, so that nothing is known of what follows.</summary>
    public bool IsBroken { get; private set; } = true;

    /// <param name="visit">Is given each entry, once its place, link and digest are right.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>Null when the archive holds nothing of the log.</returns>
    /// <exception cref="BrokenEvidenceException">The first thing that is not as it must be.</exception>
    public async Task<VerifiedLog?> RunAsync(EntryVisitor visit, CancellationToken cancel)
    {
        var documents = new LogCheckpoints(store, log, keys, isKnown ?? (static _ => true));
        LeftOut = documents.LeftOut;
        await using var checkpoints = documents.ReadAsync(cancel).GetAsyncEnumerator(cancel);
        SealedCheckpoint? newest = null;
        // The next object is on its way while this one is looked through.
        var next = LoadAsync(checkpoints, cancel);
        try
        {
            while (await next is var (checkpoint, segment))
            {
                next = LoadAsync(checkpoints, cancel);
                Origin = checkpoint.Statement.Note.Checkpoint.Origin;
                _seen ??= remembered.Find(Origin);
                CheckSegment(checkpoint, segment, visit, cancel);
                newest = checkpoint;
            }
        }
        catch (BrokenEvidenceException e) when (e.Finding.Key is null)
        {
            throw new BrokenEvidenceException(Locate(e.Finding));
        }
        finally
        {
            // Whatever became of it: it must have ended before the enumerator does.
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var whole = newest is null ? null : End(newest);
        IsBroken = false;
        return whole;
    }

    /// <returns>What a checkpoint sealed; null when there is none of that number.</returns>
    public SealedTree? Tree(long checkpoint) =>
        checkpoint > 0 && checkpoint <= Trees.Count ? Trees[(int)checkpoint - 1] : null;

    /// <summary>Verifies one checkpoint alone.</summary>
    /// <param name="checkpoint">Signed, and following the one before.</param>
    /// <param name="segment">What the archive has of it, or null.</param>
    /// <param name="tree">Of all entries before; takes those of the checkpoint.</param>
    /// <param name="last">The link before its first entry.</param>
    /// <param name="visit">Is given each entry.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="BrokenEvidenceException">The first thing that is not as it must be.</exception>
    public void CheckOne(
        SealedCheckpoint checkpoint, ArchivedContent? segment, TreeFrontier tree, in Digest last, EntryVisitor visit,
        CancellationToken cancel)
    {
        (_tree, _last) = (tree, last);
        CheckSegment(checkpoint, segment, visit, cancel);
    }

    /// <returns>The finding with the segment that holds its entry.</returns>
    public Finding Locate(Finding finding)
    {
        if (finding.Key is not null || finding.Index is not { } index) return finding;
        var place = _firstIndexes.BinarySearch(index);
        var number = place >= 0 ? place + 1 : ~place;
        return number == 0 ? finding : finding with { Key = ArchiveKey.Segment(LogName.Folder(log), number) };
    }

    private VerifiedLog End(SealedCheckpoint newest)
    {
        var statement = newest.Statement;
        var origin = statement.Note.Checkpoint.Origin;
        if (_seen?.Size > statement.Size)
        {
            throw new BrokenEvidenceException(new(
                log, statement.Size, newest.Key, Problems.Rollback,
                $"The log had {_seen.Value.Size} entries in an earlier run and ends with {statement.Size}."));
        }

        if (keys.TryFind(origin, out var known)) remembered.Set(origin, statement.Size, statement.Root, known);
        return new(log, origin, statement.Number, statement.Size, statement.Root);
    }

    private async Task<(SealedCheckpoint Checkpoint, ArchivedContent? Segment)?> LoadAsync(
        IAsyncEnumerator<SealedCheckpoint> checkpoints, CancellationToken cancel)
    {
        // Off the thread that looks through entries: unpacking the next one must not wait for it.
        await Task.Yield();
        if (!await checkpoints.MoveNextAsync()) return null;
        var checkpoint = checkpoints.Current;
        var named = checkpoint.Statement.Segment;
        // A bucket's copy in a directory has names of its own for versions: there they are digests.
        return (checkpoint, await store.ReadAsync(named.Key, named.VersionId, cancel)
            ?? await store.ReadAsync(named.Key, Convert.ToHexStringLower(named.Digest.Span), cancel));
    }

    private void CheckSegment(
        SealedCheckpoint checkpoint, ArchivedContent? segment, EntryVisitor visit, CancellationToken cancel)
    {
        var statement = checkpoint.Statement;
        var key = statement.Segment.Key;
        _firstIndexes.Add(_tree.Size);
        if (segment is null)
        {
            throw new BrokenEvidenceException(new(
                log, _tree.Size, key, Problems.SegmentMissing, $"Version {statement.Segment.VersionId} is not there."));
        }

        cancel.ThrowIfCancellationRequested();
        var isIntact = segment.Is(statement.Segment.Digest.Span);
        CheckEntries(statement, segment, isIntact, visit);
        if (!isIntact)
        {
            throw new BrokenEvidenceException(new(
                log, _tree.Size - statement.Entries, key, Problems.SegmentDigest,
                "The object's bytes are not those that were sealed, though each entry in it is."));
        }

        Require(_tree.Root == statement.Root, Problems.Root, "The entries do not make the signed tree.");
        Require(_last == statement.LastHash, Problems.Chain, "The chain does not end in the signed link.");
        Notes.Add(checkpoint.Notes);
        Trees.Add(new(statement.Size, statement.Root, LogName.RecordsEnd(log, statement), statement.Time));
        progress.Add(statement.Entries);

        void Require(bool holds, string problem, string detail)
        {
            if (!holds) throw new BrokenEvidenceException(new(log, _tree.Size - 1, checkpoint.Key, problem, detail));
        }
    }

    private void CheckEntries(
        CheckpointStatement statement, ArchivedContent segment, bool isIntact, EntryVisitor visit)
    {
        var key = statement.Segment.Key;
        try
        {
            using var lines = new SegmentReader(segment.Bytes);
            foreach (var range in statement.Ranges)
            {
                EntrySource? source = null;
                for (var offset = LogName.FirstOffset(log, range); offset < range.To; offset++)
                {
                    if (!lines.TryRead(out var line)) throw Broken("The segment ends before this entry.");
                    // The reader gives the same object as long as the source is the same.
                    if (!ReferenceEquals(line.Source, source)) source = RequireSource(line.Source, range);
                    if (line.Index != _tree.Size) throw Broken($"Entry {line.Index} stands in this entry's place.");
                    if (line.Offset != offset)
                        throw Broken($"The record at {line.Offset} of {range.Source} stands where {offset} was to be.");
                    Take(line, key, visit);
                }
            }

            if (lines.TryRead(out _)) throw Broken("The segment goes on with an entry that no checkpoint seals.");
        }
        catch (InvalidDataException e)
        {
            throw Broken($"It cannot be read: {e.Message}");
        }

        EntrySource RequireSource(EntrySource source, OffsetRange range) =>
            source.Name == range.Source && LogName.Takes(log, source)
                ? source : throw Broken($"An entry of {source.Name} stands where {range.Source} was to be.");

        BrokenEvidenceException Broken(string detail) => new(new(
            log, _tree.Size, key, isIntact ? Problems.Entry : Problems.SegmentDigest, detail));
    }

    private void Take(in SegmentEntry line, string key, EntryVisitor visit)
    {
        var bytes = line.Event.Span;
        if (line.Previous != _last || line.Hash != Digest.Of(_last, bytes))
        {
            throw new BrokenEvidenceException(new(
                log, _tree.Size, key, Problems.Chain, "The entry, or its link to the one before it, is altered."));
        }

        var digest = Digest.Of(bytes);
        visit(new(log, key, _tree.Size, line.Source.Topic, line.Source.Partition ?? 0, line.Offset, bytes, digest));
        _tree.Append(digest);
        _last = line.Hash;
        if (_tree.Size == _seen?.Size && _tree.Root != _seen.Value.Root)
        {
            throw new BrokenEvidenceException(new(
                log, _tree.Size - 1, key, Problems.Fork,
                $"The first {_tree.Size} entries are not those that an earlier run saw."));
        }
    }
}
