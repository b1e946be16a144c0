using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace Audit;

/// <summary>What a verifier says of a note.</summary>
internal enum NoteVerdict
{
    /// <summary>A known key signed it, and no known key's signature is wrong.</summary>
    Verified,

    /// <summary>No known key signed it.</summary>
    NoKnownKey,

    /// <summary>A signature that names a known key is not that key's.</summary>
    WrongSignature,
}

/// <summary>A text with signatures, as C2SP's signed-note has it.</summary>
internal sealed class SignedNote
{
    /// <summary>Most signatures of a note that is taken: as many as the verifiers of others take.</summary>
    public const int SignatureCountMax = 100;

    private SignedNote(string text, IReadOnlyList<NoteSignature> signatures) =>
        (Text, Signatures) = (text, signatures);

    /// <summary>What is signed; ends in a newline.</summary>
    public string Text { get; }

    /// <summary>In their order; at least one.</summary>
    public IReadOnlyList<NoteSignature> Signatures { get; }

    /// <summary>Signs a text.</summary>
    /// <param name="text">Unicode without control characters but newline, in which it ends.</param>
    /// <param name="signers">The keys, in the order of the lines; at least one.</param>
    /// <exception cref="ArgumentException">The text cannot be a note's, or nobody signs.</exception>
    public static SignedNote Sign(string text, params IReadOnlyList<NoteSigner> signers)
    {
        if (!text.EndsWith('\n') || !StrictText.IsNoteText(text) || text.Length > StrictText.LengthMax / 2)
            throw new ArgumentException("This text cannot be a note's.", nameof(text));
        if (signers.Count is 0 or > SignatureCountMax)
            throw new ArgumentException("A note has a signature, and not too many.", nameof(signers));
        return new(text, [.. signers.Select(signer => signer.Sign(text))]);
    }

    /// <summary>Takes a note whole: the bytes that <see cref="ToString"/> has in UTF-8, and no others.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out SignedNote? note)
    {
        note = null;
        return utf8.Length <= StrictText.LengthMax && Utf8.IsValid(utf8)
            && TryParse(Encoding.UTF8.GetString(utf8), out note);
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out SignedNote?)"/>
    public static bool TryParse(string message, [NotNullWhen(true)] out SignedNote? note)
    {
        note = null;
        if (message.Length > StrictText.LengthMax || !StrictText.IsNoteText(message)) return false;
        var split = message.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0 || !TrySignatures(message.AsSpan(split + 2), out var signatures)) return false;
        note = new(message[..(split + 1)], signatures);
        return true;
    }

    /// <summary>Takes signature lines and nothing else.</summary>
    /// <returns>False also if there is none, or if there are more than a note may have.</returns>
    public static bool TrySignatures(ReadOnlySpan<char> lines, out IReadOnlyList<NoteSignature> signatures)
    {
        var found = new List<NoteSignature>();
        signatures = found;
        while (StrictText.TryLine(ref lines, out var line))
        {
            if (found.Count == SignatureCountMax || !NoteSignature.TryParse(line, out var signature)) return false;
            found.Add(signature);
        }

        return lines.IsEmpty && found.Count > 0;
    }

    /// <summary>Checks the signatures of those keys that are known. All others are ignored.</summary>
    /// <param name="known">The keys that the caller trusts.</param>
    /// <param name="signed">Those of them that signed; empty unless verified.</param>
    public NoteVerdict Verify(IReadOnlyCollection<VerifierKey> known, out IReadOnlyList<VerifierKey> signed)
    {
        var verified = new List<VerifierKey>();
        signed = [];
        foreach (var signature in Signatures)
        {
            var named = known.Where(key => key.IsNamedBy(signature)).ToArray();
            if (named.Length == 0) continue;
            if (Array.Find(named, key => key.Verifies(Text, signature)) is not { } signer)
                return NoteVerdict.WrongSignature;
            if (!verified.Contains(signer)) verified.Add(signer);
        }

        signed = verified;
        return verified.Count > 0 ? NoteVerdict.Verified : NoteVerdict.NoKnownKey;
    }

    /// <returns>The note with further signatures under those that it has.</returns>
    /// <exception cref="ArgumentException">They would be too many.</exception>
    public SignedNote With(params IReadOnlyList<NoteSignature> signatures)
    {
        if (Signatures.Count + signatures.Count > SignatureCountMax)
            throw new ArgumentException("A note has not so many signatures.", nameof(signatures));
        return new(Text, [.. Signatures, .. signatures]);
    }

    /// <returns>The note, byte for byte as it is served in UTF-8.</returns>
    public override string ToString() => $"{Text}\n{string.Concat(Signatures.Select(signature => signature.Line))}";
}
