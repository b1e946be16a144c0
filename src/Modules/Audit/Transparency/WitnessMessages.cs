using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Audit;

/// <summary>Asks a witness to sign a checkpoint: the body of <c>POST /add-checkpoint</c>.</summary>
/// <param name="OldSize">The size that the witness is believed to have signed last; 0 before the first.</param>
/// <param name="Proof">That the checkpoint's tree begins with the one of that size; at most 63 hashes.</param>
/// <param name="Checkpoint">The new checkpoint.</param>
internal sealed record WitnessRequest(long OldSize, IReadOnlyList<Digest> Proof, SignedCheckpoint Checkpoint)
{
    private const string OldStart = "old ";

    /// <summary>Takes a body as <see cref="ToString"/> writes it, and no other spelling.</summary>
    public static bool TryParse(string body, [NotNullWhen(true)] out WitnessRequest? request)
    {
        request = null;
        var rest = body.AsSpan();
        if (!StrictText.TryLine(ref rest, out var line) || !line.StartsWith(OldStart, StringComparison.Ordinal)
            || !StrictText.TryNumber(line[OldStart.Length..], out var oldSize)
            || !LogProof.TryHashes(ref rest, out var proof)
            || !SignedCheckpoint.TryParse(rest.ToString(), out var checkpoint))
        {
            return false;
        }

        request = new(oldSize, proof, checkpoint);
        return true;
    }

    /// <returns>The body.</returns>
    public override string ToString()
    {
        var hashes = string.Concat(Proof.Select(hash => $"{hash.Base64}\n"));
        return string.Create(CultureInfo.InvariantCulture, $"{OldStart}{OldSize}\n{hashes}\n{Checkpoint}");
    }
}

/// <summary>What a witness answers.</summary>
internal static class WitnessAnswer
{
    /// <summary>The media type of the answer 409.</summary>
    public const string SizeMediaType = "text/x.tlog.size";

    /// <summary>
    /// Takes the body of an answer 200: signature lines, of which those of the witness's key are checked.
    /// </summary>
    /// <param name="body">The body.</param>
    /// <param name="checkpoint">The checkpoint that was sent.</param>
    /// <param name="witness">The witness's key.</param>
    /// <param name="cosignatures">The witness's, all verified; lines of other keys are left out.</param>
    /// <returns>False if the body is malformed, or has no signature or a wrong one of the witness.</returns>
    public static bool TryCosignatures(
        string body, Checkpoint checkpoint, VerifierKey witness, out IReadOnlyList<NoteSignature> cosignatures)
    {
        cosignatures = [];
        if (body.Length > StrictText.LengthMax || !SignedNote.TrySignatures(body, out var lines)) return false;
        var named = lines.Where(witness.IsNamedBy).ToArray();
        if (named.Length == 0) return false;
        if (!Array.TrueForAll(named, line => witness.Verifies(checkpoint.Text, line))) return false;
        cosignatures = named;
        return true;
    }

    /// <summary>Takes the body of an answer 409: the size that the witness signed last.</summary>
    public static bool TrySize(ReadOnlySpan<char> body, out long size)
    {
        size = 0;
        return StrictText.TryLine(ref body, out var line) && body.IsEmpty && StrictText.TryNumber(line, out size);
    }

    /// <returns>The body of an answer 409.</returns>
    public static string Size(long size) => string.Create(CultureInfo.InvariantCulture, $"{size}\n");
}
