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
internal sealed class LogCheckpoints(IArchiveStore store, string log, TrustedKeys keys)
{
    private readonly string _folder = LogName.Folder(log);

    /// <exception cref="BrokenEvidenceException">The next one is missing, not signed, or does not follow.</exception>
    public async IAsyncEnumerable<SealedCheckpoint> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        SealedCheckpoint? last = null;
        await foreach (var (number, versions) in NumbersAsync(cancel))
        {
            var expected = (last?.Statement.Number ?? 0) + 1;
            if (number != expected)
            {
                throw new BrokenEvidenceException(new(
                    log, last?.Statement.Size ?? 0, ArchiveKey.Checkpoint(_folder, expected),
                    Problems.CheckpointMissing, $"Checkpoint {expected} is not in the archive, and {number} is."));
            }

            var next = await ReadAsync(number, versions, last, cancel);
            RequireFollows(next, last);
            yield return last = next;
        }
    }

    /// <summary>Reads one checkpoint.</summary>
    /// <param name="number">Which.</param>
    /// <param name="before">The one before, which it has to follow; null where that is not asked.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="BrokenEvidenceException">It is missing, not signed, or does not follow.</exception>
    public async Task<SealedCheckpoint> FindAsync(long number, SealedCheckpoint? before, CancellationToken cancel)
    {
        var there = await store.NewestCheckpointAsync(_folder, number - 1, number + 1, cancel);
        var found = await ReadAsync(number, [.. there?.Versions ?? []], before, cancel);
        if (before is not null || number == 1) RequireFollows(found, before);
        return found;
    }

    /// <summary>Every number under which a <c>checkpoint.json</c> lies, with its versions, in order.</summary>
    private async IAsyncEnumerable<(long Number, List<ArchivedVersion> Versions)> NumbersAsync(
        [EnumeratorCancellation] CancellationToken cancel)
    {
        var (number, versions) = (0L, new List<ArchivedVersion>());
        await foreach (var version in store.ListAsync($"{_folder}/", cancel))
        {
            if (!ArchiveKey.TryReadNumber(_folder, version.Key, out var of)
                || version.Key != ArchiveKey.Checkpoint(_folder, of))
            {
                continue;
            }

            if (of != number && versions.Count > 0)
            {
                yield return (number, versions);
                versions = [];
            }

            number = of;
            versions.Add(version);
        }

        if (versions.Count > 0) yield return (number, versions);
    }

    /// <summary>Of what lies under the key, takes what is signed: anybody who may write can put more there.</summary>
    private async Task<SealedCheckpoint> ReadAsync(
        long number, List<ArchivedVersion> versions, SealedCheckpoint? last, CancellationToken cancel)
    {
        var key = ArchiveKey.Checkpoint(_folder, number);
        var signed = new List<CheckpointDocument>();
        Finding? refused = null;
        // The oldest first: what is put beside the first checkpoint later is not what its key is taken from.
        foreach (var version in Enumerable.Reverse(versions))
        {
            var content = await store.ReadAsync(key, version.VersionId, cancel);
            if (content is null) continue;
            if (!CheckpointDocument.TryParse(content.Bytes, out var document)
                || document.Statement.Number != number || document.Statement.Log != log)
            {
                refused ??= Finding(Problems.CheckpointMalformed, "It is not a checkpoint of this log and number.");
            }
            else if (!IsSigned(document))
            {
                refused ??= Finding(
                    Problems.CheckpointSignature,
                    "No known key of the log signed it: give every key that it had by --vkey.");
            }
            else if (signed.TrueForAll(one => one.Digest != document.Digest))
            {
                signed.Add(document);
            }
        }

        if (signed.Count == 0)
            throw new BrokenEvidenceException(refused ?? Finding(Problems.CheckpointMissing, "It cannot be read."));
        if (signed.DistinctBy(one => (one.Statement.Size, one.Statement.Root, one.Statement.LastHash)).Count() > 1)
        {
            throw new BrokenEvidenceException(Finding(
                Problems.Fork, "Two checkpoints of this number are signed, of different trees."));
        }

        return new(
            signed[0], key, [.. signed.Select(one => one.Digest)],
            [.. signed.Select(one => NoteDigest(one.Statement.Note))]);

        Finding Finding(string problem, string detail) =>
            new(log, last?.Statement.Size ?? 0, key, problem, $"Checkpoint {number}: {detail}");
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
