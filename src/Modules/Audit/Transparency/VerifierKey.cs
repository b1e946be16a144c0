using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace Audit;

/// <summary>What a key of signed notes signs.</summary>
internal enum NoteKeyType : byte
{
    /// <summary>The text of a note, as logs do.</summary>
    Log = 0x01,

    /// <summary>The text of a checkpoint and the time at which it was seen, as witnesses do.</summary>
    Witness = 0x04,
}

/// <summary>The public half of an Ed25519 key that signs notes, by its name. Safe for use by many threads.</summary>
internal sealed class VerifierKey
{
    private const int IdBytes = sizeof(uint);
    private const int SignatureBytes = 64;
    private const int TimeBytes = sizeof(ulong);

    private readonly PublicKey _key;

    private VerifierKey(NoteKeyType type, string name, PublicKey key)
    {
        (Type, Name, _key) = (type, name, key);
        // The id tells apart what a name signs in several ways: the type is a part of it.
        byte[] named = [.. Encoding.UTF8.GetBytes(name), (byte)'\n', .. Tagged()];
        Id = BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(named));
    }

    public NoteKeyType Type { get; }

    /// <summary>A log's key has the log's origin as its name.</summary>
    public string Name { get; }

    /// <summary>Stands in each signature. Two keys may share one, though it takes work to find such.</summary>
    public uint Id { get; }

    /// <summary>The 32 bytes of RFC 8032.</summary>
    public byte[] PublicKey => _key.Export(KeyBlobFormat.RawPublicKey);

    /// <exception cref="ArgumentException">The name cannot be a key's, or the bytes are no public key.</exception>
    public static VerifierKey Of(NoteKeyType type, string name, ReadOnlySpan<byte> publicKey) =>
        TryCreate(type, name, publicKey, out var key)
            ? key
            : throw new ArgumentException($"{name} with these {publicKey.Length} bytes is no key of signed notes.");

    /// <param name="type">What it signs.</param>
    /// <param name="name">As for all keys.</param>
    /// <param name="info">The public key as a SubjectPublicKeyInfo in DER (RFC 8410).</param>
    /// <exception cref="FormatException">It is none of Ed25519.</exception>
    public static VerifierKey OfInfo(NoteKeyType type, string name, ReadOnlySpan<byte> info) => Of(
        type, name,
        NSec.Cryptography.PublicKey.Import(SignatureAlgorithm.Ed25519, info, KeyBlobFormat.PkixPublicKey)
            .Export(KeyBlobFormat.RawPublicKey));

    /// <returns>False when the name cannot be a key's, or the bytes are no public key.</returns>
    public static bool TryCreate(
        NoteKeyType type, string name, ReadOnlySpan<byte> publicKey, [NotNullWhen(true)] out VerifierKey? key)
    {
        var valid = NSec.Cryptography.PublicKey.TryImport(
            SignatureAlgorithm.Ed25519, publicKey, KeyBlobFormat.RawPublicKey, out var imported);
        key = valid && StrictText.IsKeyName(name) ? new(type, name, imported!) : null;
        return key is not null;
    }

    /// <summary>Takes <c>name+id+base64</c>: a key of a log, or of a witness.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out VerifierKey? key)
    {
        key = null;
        // Base64 has plus signs of its own.
        return text.Split('+', 3) is [var name, { Length: 2 * IdBytes } id, var encoded]
            && StrictText.TryBase64(encoded, out var tagged)
            && tagged is [(byte)NoteKeyType.Log or (byte)NoteKeyType.Witness, ..]
            && TryCreate((NoteKeyType)tagged[0], name, tagged.AsSpan(1), out key)
            && id == key.Id.ToString("x8", CultureInfo.InvariantCulture);
    }

    /// <returns>Whether a signature names this key. That it is the key's, <see cref="Verifies"/> tells.</returns>
    public bool IsNamedBy(NoteSignature signature) => signature.KeyId == Id && signature.Name == Name;

    /// <returns>Whether the signature is this key's over that text.</returns>
    public bool Verifies(string text, NoteSignature signature)
    {
        var bytes = signature.Bytes.Span;
        if (Type is NoteKeyType.Log) return VerifiesBytes(Encoding.UTF8.GetBytes(text), bytes);
        return bytes.Length == TimeBytes + SignatureBytes
            && VerifiesBytes(WitnessMessage(signature.WitnessTime, text), bytes[TimeBytes..]);
    }

    /// <summary>As <see cref="TryParse"/> takes it.</summary>
    public override string ToString() =>
        $"{Name}+{Id.ToString("x8", CultureInfo.InvariantCulture)}+{Convert.ToBase64String(Tagged())}";

    /// <returns>What a witness signs.</returns>
    internal static byte[] WitnessMessage(ulong unixSeconds, string text) =>
        Encoding.UTF8.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {unixSeconds}\n{text}"));

    private bool VerifiesBytes(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureBytes && SignatureAlgorithm.Ed25519.Verify(_key, message, signature);

    private byte[] Tagged() => [(byte)Type, .. PublicKey];
}
