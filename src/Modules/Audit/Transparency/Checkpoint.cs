using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Audit;

/// <summary>What a log says of its tree.</summary>
/// <param name="Origin">Which log: a URL without its scheme.</param>
/// <param name="Size">How many entries it has.</param>
/// <param name="Root">The root over all of them.</param>
internal sealed record Checkpoint(string Origin, long Size, Digest Root)
{
    /// <summary>Takes three lines as <see cref="Text"/> writes them, and nothing more.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        if (!StrictText.TryLine(ref text, out var origin) || !StrictText.IsKeyName(origin)
            || !StrictText.TryLine(ref text, out var number) || !StrictText.TryNumber(number, out var size)
            || !StrictText.TryLine(ref text, out var hash) || !StrictText.TryDigest(hash, out var root)
            || !text.IsEmpty || (size == 0 && root != TreeHash.Empty))
        {
            return false;
        }

        checkpoint = new(origin.ToString(), size, root);
        return true;
    }

    /// <summary>Three lines, each with its newline: what is signed.</summary>
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Root.Base64}\n");
}

/// <summary>A checkpoint as it is published: signed by its log, and perhaps by witnesses.</summary>
internal sealed class SignedCheckpoint
{
    private SignedCheckpoint(SignedNote note, Checkpoint checkpoint) => (Note, Checkpoint) = (note, checkpoint);

    public SignedNote Note { get; }

    public Checkpoint Checkpoint { get; }

    /// <param name="checkpoint">Must be consistent with every one that the log signed before.</param>
    /// <param name="signers">The log's keys, named as its origin; at least one.</param>
    /// <exception cref="ArgumentException">A signer has another name.</exception>
    public static SignedCheckpoint Sign(Checkpoint checkpoint, params IReadOnlyList<NoteSigner> signers)
    {
        if (signers.Any(signer => signer.Verifier.Name != checkpoint.Origin))
            throw new ArgumentException("A log signs in its own name.", nameof(signers));
        return new(SignedNote.Sign(checkpoint.Text, signers), checkpoint);
    }

    /// <summary>Takes a signed note whose text is a checkpoint's. Who signed it, <see cref="Verify"/> tells.</summary>
    public static bool TryParse(string message, [NotNullWhen(true)] out SignedCheckpoint? signed)
    {
        signed = SignedNote.TryParse(message, out var note) && Checkpoint.TryParse(note.Text, out var checkpoint)
            ? new(note, checkpoint)
            : null;
        return signed is not null;
    }

    /// <summary>Checks that the log itself signed, and that no known key's signature is wrong.</summary>
    /// <param name="known">Keys of logs and witnesses. A log's speaks for the origin that is its name only.</param>
    /// <param name="witnesses">The known witnesses that signed as well; empty unless verified.</param>
    public NoteVerdict Verify(IReadOnlyCollection<VerifierKey> known, out IReadOnlyList<VerifierKey> witnesses)
    {
        witnesses = [];
        var verdict = Note.Verify(known, out var signed);
        if (verdict is not NoteVerdict.Verified) return verdict;
        if (!signed.Any(key => key.Type is NoteKeyType.Log && key.Name == Checkpoint.Origin))
            return NoteVerdict.NoKnownKey;
        witnesses = [.. signed.Where(key => key.Type is NoteKeyType.Witness)];
        return verdict;
    }

    /// <returns>The checkpoint with cosignatures under the signatures that it has.</returns>
    /// <inheritdoc cref="SignedNote.With" path="/exception"/>
    public SignedCheckpoint With(params IReadOnlyList<NoteSignature> cosignatures) =>
        new(Note.With(cosignatures), Checkpoint);

    /// <returns>The note, byte for byte as it is served in UTF-8.</returns>
    public override string ToString() => Note.ToString();
}
