using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Audit;

/// <summary>What checking a proof file came to.</summary>
internal enum LogProofVerdict
{
    /// <summary>A known log signed a tree that has the entry at the place that the proof names.</summary>
    Verified,

    /// <summary>No known key of that log signed the checkpoint.</summary>
    NoKnownKey,

    /// <summary>A signature that names a known key is not that key's.</summary>
    WrongSignature,

    /// <summary>The checkpoint is the log's, and the entry is not shown to be in its tree.</summary>
    NotIncluded,
}

/// <summary>A proof that an entry is in a log, with all that is needed to check it offline (C2SP tlog-proof).</summary>
/// <param name="Extra">Says what the proof is for and is not authenticated; null if nothing, else not empty.</param>
/// <param name="Index">Which entry, counted from zero; below the checkpoint's size.</param>
/// <param name="Path">From the leaf's sibling up to the root's child.</param>
/// <param name="Checkpoint">The tree that the proof leads to.</param>
internal sealed record LogProof(byte[]? Extra, long Index, IReadOnlyList<Digest> Path, SignedCheckpoint Checkpoint)
{
    /// <summary>A path is never longer: sizes have 63 bits.</summary>
    public const int PathLengthMax = 63;

    private const string Header = "c2sp.org/tlog-proof@v1";
    private const string ExtraStart = "extra ";
    private const string IndexStart = "index ";

    /// <summary>Takes a proof file as <see cref="ToString"/> writes it, and no other spelling.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out LogProof? proof)
    {
        proof = null;
        var rest = text.AsSpan();
        if (!StrictText.TryLine(ref rest, out var line) || line is not Header) return false;
        if (!StrictText.TryLine(ref rest, out line)) return false;
        byte[]? extra = null;
        if (line.StartsWith(ExtraStart, StringComparison.Ordinal)
            && (!StrictText.TryBase64(line[ExtraStart.Length..], out extra)
                || !StrictText.TryLine(ref rest, out line)))
        {
            return false;
        }

        if (!line.StartsWith(IndexStart, StringComparison.Ordinal)
            || !StrictText.TryNumber(line[IndexStart.Length..], out var index)
            || !TryHashes(ref rest, out var path)
            || !SignedCheckpoint.TryParse(rest.ToString(), out var checkpoint)
            || index >= checkpoint.Checkpoint.Size)
        {
            return false;
        }

        proof = new(extra, index, path, checkpoint);
        return true;
    }

    /// <summary>Checks the proof without asking anybody.</summary>
    /// <param name="entry">The entry that the caller holds, such as a receipt's <c>event_digest</c>.</param>
    /// <param name="known">Keys of logs and witnesses that the caller trusts.</param>
    /// <param name="witnesses">The known witnesses that signed as well; empty unless verified.</param>
    public LogProofVerdict Verify(
        in Digest entry, IReadOnlyCollection<VerifierKey> known, out IReadOnlyList<VerifierKey> witnesses)
    {
        switch (Checkpoint.Verify(known, out witnesses))
        {
            case NoteVerdict.NoKnownKey: return LogProofVerdict.NoKnownKey;
            case NoteVerdict.WrongSignature: return LogProofVerdict.WrongSignature;
        }

        var (_, size, root) = Checkpoint.Checkpoint;
        if (ProofCheck.Includes(Index, size, entry, [.. Path], root)) return LogProofVerdict.Verified;
        witnesses = [];
        return LogProofVerdict.NotIncluded;
    }

    /// <returns>The file's text.</returns>
    public override string ToString()
    {
        var text = new StringBuilder($"{Header}\n");
        if (Extra is not null) text.Append(ExtraStart).Append(Convert.ToBase64String(Extra)).Append('\n');
        text.Append(IndexStart).Append(Index.ToString(CultureInfo.InvariantCulture)).Append('\n');
        foreach (var hash in Path) text.Append(hash.Base64).Append('\n');
        return text.Append('\n').Append(Checkpoint).ToString();
    }

    /// <summary>Cuts off lines of hashes and the empty line after them.</summary>
    internal static bool TryHashes(ref ReadOnlySpan<char> rest, out IReadOnlyList<Digest> hashes)
    {
        var found = new List<Digest>();
        hashes = found;
        while (StrictText.TryLine(ref rest, out var line))
        {
            if (line.IsEmpty) return true;
            if (found.Count == PathLengthMax || !StrictText.TryDigest(line, out var hash)) return false;
            found.Add(hash);
        }

        return false;
    }
}
