using System.Text;
using Platform;

namespace Audit;

/// <summary>An Ed25519 key that signs notes in its name. As safe for threads as its signing function.</summary>
/// <param name="verifier">The public half, with the name and with what the key signs.</param>
/// <param name="sign">Signs bytes: 64 bytes of Ed25519.</param>
internal sealed class NoteSigner(VerifierKey verifier, Func<byte[], byte[]> sign)
{
    /// <summary>The public half.</summary>
    public VerifierKey Verifier => verifier;

    /// <returns>A log's key out of the key ring.</returns>
    /// <param name="origin">The log's origin, which the key has as its name.</param>
    /// <param name="key">A key of <see cref="KeyAlgorithm.Ed25519"/>.</param>
    public static NoteSigner ForLog(string origin, SigningKey key) => new(
        VerifierKey.Of(NoteKeyType.Log, origin, key.RawPublicKey.Span), message => key.Sign(message));

    /// <summary>Signs a note's text as a log does.</summary>
    /// <exception cref="InvalidOperationException">It is the key of a witness.</exception>
    public NoteSignature Sign(string text) => verifier.Type is NoteKeyType.Log
        ? new(verifier.Name, verifier.Id, sign(Encoding.UTF8.GetBytes(text)))
        : throw new InvalidOperationException($"{verifier.Name} signs with the time only.");

    /// <summary>Signs that a checkpoint was seen, as a witness does.</summary>
    /// <param name="text">The checkpoint's text, without signatures.</param>
    /// <param name="seenAt">When; signed to the second. Not before 1970.</param>
    /// <exception cref="InvalidOperationException">It is the key of a log.</exception>
    public NoteSignature Cosign(string text, DateTimeOffset seenAt)
    {
        if (verifier.Type is not NoteKeyType.Witness)
            throw new InvalidOperationException($"{verifier.Name} is no key of a witness.");

        var seconds = checked((ulong)seenAt.ToUnixTimeSeconds());
        var bytes = new byte[sizeof(ulong)];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes, seconds);
        byte[] timed = [.. bytes, .. sign(VerifierKey.WitnessMessage(seconds, text))];
        return new(verifier.Name, verifier.Id, timed);
    }
}
