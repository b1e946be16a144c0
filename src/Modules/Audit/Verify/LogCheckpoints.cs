using System.Runtime.CompilerServices;
using System.Text;

namespace Audit;

/// <summary>A checkpoint whose signature holds, with the object that it was read from.</summary>
/// <param name="Document">What is signed.</param>
/// <param name="Key">The object's key.</param>
/// <param name="Digests">Of every signed version of it: the next checkpoint names one of them.</param>
/// <param name="Notes">Of every signed version, the digest of its note: the log of logs holds one of them.</param>
internal sealed record SealedCheckpoint(
    CheckpointDocument Document, string Key, IReadOnlyList<Digest> Digests, IReadOnlyList<Digest> Notes)
{
    public CheckpointStatement Statement => Document.Statement;
}

/// <summary>Reads the checkpoints of one log in their order, and checks all that needs no entries.</summary>
/// <param name="store">The archive.</param>
/// <param name="log">The log's name.</param>
/// <param name="keys">What signatures are checked with.</param>
/// <param name="isKnown">
/// Whether there is known to be a checkpoint of a number, so that what lies in its place is not what anybody put there.
/// </param>
internal sealed class LogCheckpoints(IArchiveStore store, string log, TrustedKeys keys, Predicate<long> isKnown)
{
    private readonly string _folder = LogName.Folder(log);

    /// <summary>What was passed over so far.</summary>
    public LeftOut LeftOut { get; } = new();

    /// <summary>
    /// Ends with the last one that a known key signed. What lies behind it is left out, unless there is known to be
    /// more, or the log itself has signed a larger tree.
    /// </summary>
    /// <exception cref="BrokenEvidenceException">The next one is missing, not signed, or does not follow.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say, or refuses to give one of them.</exception>
    public async IAsyncEnumerable<SealedCheckpoint> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        SealedCheckpoint? last = null;
        UnsignedCheckpoint? next = null, noted = null;
        await foreach (var place in PlacesAsync(cancel))
        {
            var expected = (last?.Statement.Number ?? 0) + 1;
            var (found, unsigned) = await ReadAsync(place.Number, place.Checkpoints, last, cancel);
            LeaveOutSegments(place, expected);
            if (found is null)
            {
                if (place.Number == expected) next = unsigned;
                if (unsigned?.NotedSize > (noted?.NotedSize ?? last?.Statement.Size ?? 0)) noted = unsigned;
                continue;
            }

            if (place.Number != expected)
            {
                throw next?.Failure() ?? new BrokenEvidenceException(new(
                    log, last?.Statement.Size ?? 0, ArchiveKey.Checkpoint(_folder, expected),
                    Problems.CheckpointMissing,
                    $"Checkpoint {expected} is not in the archive, and {place.Number} is."));
            }

            RequireFollows(found, last);
            yield return last = found;
        }

        LeftOut.Next = next?.Why;
        if (next is not null && isKnown((last?.Statement.Number ?? 0) + 1)) throw next.Failure();
        if (noted is not null) await RequireGrownAsync(noted, last, cancel);
    }

    /// <summary>Reads one checkpoint.</summary>
    /// <param name="number">Which.</param>
    /// <param name="before">The one before, which it has to follow; null where that is not asked.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="BrokenEvidenceException">It is missing, not signed, or does not follow.</exception>
    /// <exception cref="ArchiveStoreException">The store did not say, or refuses to give it.</exception>
    public async Task<SealedCheckpoint> FindAsync(long number, SealedCheckpoint? before, CancellationToken cancel)
    {
        var there = await store.NewestCheckpointAsync(_folder, number - 1, number + 1, cancel);
        var (found, unsigned) = await ReadAsync(number, [.. there?.Versions ?? []], before, cancel);
        if (found is null)
        {
            throw unsigned?.Failure() ?? new BrokenEvidenceException(new(
                log, before?.Statement.Size ?? 0, ArchiveKey.Checkpoint(_folder, number), Problems.CheckpointMissing,
                $"Checkpoint {number}: It cannot be read."));
        }

        if (before is not null || number == 1) RequireFollows(found, before);
        return found;
    }

    /// <summary>
    /// A tree that the log signed is larger than all that is archived: the log grew while it was read, or what was
    /// archived of it is gone. A note is public, but only once its checkpoint is archived.
    /// </summary>
    private async Task RequireGrownAsync(UnsignedCheckpoint noted, SealedCheckpoint? last, CancellationToken cancel)
    {
        var number = (last?.Statement.Number ?? 0) + 1;
        var there = await store.NewestCheckpointAsync(_folder, number - 1, number + 1, cancel);
        var (found, _) = await ReadAsync(number, [.. there?.Versions ?? []], last, cancel);
        if (found is null) throw noted.Failure();
    }

    /// <summary>Every number under which something lies, in order.</summary>
    private async IAsyncEnumerable<CheckpointPlace> PlacesAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        CheckpointPlace? place = null;
        await foreach (var version in store.ListAsync($"{_folder}/", cancel))
        {
            var isNumbered = ArchiveKey.TryReadNumber(_folder, version.Key, out var number) && number > 0;
            var isCheckpoint = isNumbered && version.Key == ArchiveKey.Checkpoint(_folder, number);
            if (!isCheckpoint && !(isNumbered && version.Key == ArchiveKey.Segment(_folder, number)))
            {
                LeftOut.Add(version.Key);
                continue;
            }

            if (place?.Number != number)
            {
                if (place is not null) yield return place;
                place = new(number, [], []);
            }

            (isCheckpoint ? place.Checkpoints : place.Segments).Add(version);
        }

        if (place is not null) yield return place;
    }

    private void LeaveOutSegments(CheckpointPlace place, long expected)
    {
        // One without its checkpoint is being sealed in the next place. Which of several is the log's its checkpoint
        // says; a copy of the archive has given it another id.
        var ownCount = place.Number == expected ? 1 : 0;
        LeftOut.Add(ArchiveKey.Segment(_folder, place.Number), place.Segments.Count - ownCount);
    }

    /// <summary>Of what lies under the key, takes what is signed: anybody who may write can put more there.</summary>
    /// <returns>What is signed, or else what lies there instead; neither when nothing does.</returns>
    private async Task<(SealedCheckpoint? Signed, UnsignedCheckpoint? Unsigned)> ReadAsync(
        long number, List<ArchivedVersion> versions, SealedCheckpoint? last, CancellationToken cancel)
    {
        var key = ArchiveKey.Checkpoint(_folder, number);
        var signed = new List<CheckpointDocument>();
        UnsignedCheckpoint? unsigned = null;
        var signedCount = 0;
        // The oldest first: what is put beside the first checkpoint later is not what its key is taken from.
        foreach (var version in Enumerable.Reverse(versions))
        {
            var (document, refusal) = await ReadAsync(version, cancel);
            if (refusal is not null)
            {
                Refuse(Problems.Unreadable, refusal.Message, refusal);
            }
            else if (document is null || document.Statement.Number != number || document.Statement.Log != log)
            {
                Refuse(Problems.CheckpointMalformed, "It is not a checkpoint of this log and number.");
            }
            else if (!IsSigned(document))
            {
                Refuse(
                    Problems.CheckpointSignature,
                    "No known key of the log signed it: give every key that it had by --vkey.", document: document);
            }
            else
            {
                signedCount++;
                if (signed.TrueForAll(one => one.Digest != document.Digest)) signed.Add(document);
            }
        }

        LeftOut.Add(key, versions.Count - signedCount);
        if (signed.Count == 0) return (null, unsigned);
        if (signed.DistinctBy(one => (one.Statement.Size, one.Statement.Root, one.Statement.LastHash)).Count() > 1)
        {
            throw new BrokenEvidenceException(Finding(
                Problems.Fork, "Two checkpoints of this number are signed, of different trees."));
        }

        return (new(
            signed[0], key, [.. signed.Select(one => one.Digest)],
            [.. signed.Select(one => NoteDigest(one.Statement.Note))]), null);

        void Refuse(
            string problem, string detail, ArchiveStoreException? refusal = null, CheckpointDocument? document = null)
        {
            unsigned ??= new(Finding(problem, detail));
            unsigned = unsigned with
            {
                Refusal = unsigned.Refusal ?? refusal,
                NotedSize = Math.Max(unsigned.NotedSize, document is null ? 0 : NotedSize(document)),
            };
        }

        Finding Finding(string problem, string detail) =>
            new(log, last?.Statement.Size ?? 0, key, problem, $"Checkpoint {number}: {detail}");
    }

    /// <returns>The document, or what the store said when it refused to give it; neither when it is none.</returns>
    private async Task<(CheckpointDocument? Document, ArchiveStoreException? Refusal)> ReadAsync(
        ArchivedVersion version, CancellationToken cancel)
    {
        if (version.SizeBytes > CheckpointDocument.SizeBytesMax) return default;
        try
        {
            var content = await store.ReadAsync(version.Key, version.VersionId, cancel);
            return (content is not null && CheckpointDocument.TryParse(content.Bytes, out var document)
                ? document : null, null);
        }
        catch (ArchiveStoreException e) when (!e.IsTransient)
        {
            LeftOut.AddRefused();
            return (null, e);
        }
    }

    /// <returns>Entries of the tree that a known key signed in the note within; 0 when none did.</returns>
    private long NotedSize(CheckpointDocument document)
    {
        var (origin, size, _) = document.Statement.Note.Checkpoint;
        return LogName.Of(origin) == log && keys.TryFind(origin, out var known) && document.IsNotedBy(known)
            ? size : 0;
    }

    /// <returns>The entry for a signed note in the log of logs.</returns>
    private static Digest NoteDigest(SignedCheckpoint note) =>
        Digest.Of(Encoding.UTF8.GetBytes(note.ToString()));

    private bool IsSigned(CheckpointDocument document)
    {
        var origin = document.Statement.Note.Checkpoint.Origin;
        if (LogName.Of(origin) != log) return false;
        if (!keys.TryFind(origin, out var known))
        {
            if (!document.IsSignedBy([document.Key]) || !keys.TryTrustFirst(origin, document.Key)) return false;
            known = [document.Key];
        }

        // A known key's line in the note says nothing of the lines beside it, which anybody could have added, nor of
        // a document around it.
        return document.IsSignedBy(known);
    }

    private void RequireFollows(SealedCheckpoint next, SealedCheckpoint? last)
    {
        var (statement, before) = (next.Statement, last?.Statement);
        Require(
            statement.Previous is { } previous ? last?.Digests.Contains(previous) is true : last is null,
            Problems.CheckpointChain, "It does not name the checkpoint before it.");
        Require(
            before is null || statement.Note.Checkpoint.Origin == before.Note.Checkpoint.Origin,
            Problems.CheckpointClaims, "Its origin is another one than before.");
        Require(
            statement.Size == (before?.Size ?? 0) + statement.Entries,
            Problems.CheckpointClaims, "Its size is not that of the checkpoint before it and its entries.");
        Require(
            statement.Time >= (before?.Time ?? default),
            Problems.CheckpointClaims, "It is older than the checkpoint before it.");
        Require(
            statement.Segment.Key == ArchiveKey.Segment(_folder, statement.Number),
            Problems.CheckpointClaims, "It names a segment of another checkpoint.");
        RequireOffsets(statement, before);

        void Require(bool holds, string problem, string detail)
        {
            if (!holds)
            {
                throw new BrokenEvidenceException(new(
                    log, before?.Size ?? 0, next.Key, problem, $"Checkpoint {statement.Number}: {detail}"));
            }
        }
    }

    /// <summary>Every record of every source is in one checkpoint: no gap, no overlap.</summary>
    private void RequireOffsets(CheckpointStatement statement, CheckpointStatement? before)
    {
        var next = before?.Offsets.ToDictionary(StringComparer.Ordinal) ?? new(StringComparer.Ordinal);
        var entries = 0L;
        foreach (var range in statement.Ranges)
        {
            var from = next.GetValueOrDefault(range.Source);
            if (range.From != from)
                throw Broken($"Its records of {range.Source} begin at {range.From}, and {from} comes next.");
            next[range.Source] = range.To;
            entries += range.To - LogName.FirstOffset(log, range);
        }

        if (entries != statement.Entries) throw Broken("Its ranges are not as many records as it has entries.");
        if (next.Count != statement.Offsets.Count
            || next.Any(pair => !statement.Offsets.TryGetValue(pair.Key, out var offset) || offset != pair.Value))
        {
            throw Broken("Its offsets do not follow from its ranges.");
        }

        BrokenEvidenceException Broken(string detail) => new(new(
            log, before?.Size ?? 0, ArchiveKey.Checkpoint(_folder, statement.Number), Problems.CheckpointClaims,
            $"Checkpoint {statement.Number}: {detail}"));
    }
}
