using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace Witness;

/// <summary>The public key of a log.</summary>
/// <param name="Name">The origin of its checkpoints.</param>
/// <param name="Id">The first four bytes of what its signature lines hold.</param>
internal sealed record LogKey(string Name, byte[] Id, PublicKey Key)
{
    private const byte Ed25519 = 0x01;

    /// <returns>Null if it is no verifier key of a log.</returns>
    public static LogKey? Parse(string vkey)
    {
        if (vkey.Split('+', 3) is not [var name, var id, var encoded] || !Note.IsName(name)) return null;
        if (Note.ParseBase64(encoded) is not [Ed25519, .. { Length: 32 } raw]) return null;
        if (!PublicKey.TryImport(SignatureAlgorithm.Ed25519, raw, KeyBlobFormat.RawPublicKey, out var key)) return null;
        var computed = IdOf(name, Ed25519, raw);
        return id == Convert.ToHexStringLower(computed) ? new(name, computed, key!) : null;
    }

    public static byte[] IdOf(string name, byte type, byte[] publicKey) =>
        SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', type, .. publicKey])[..4];

    /// <returns>Null if the note has no signature that names this key; else whether all that do are its own.</returns>
    public bool? Signed(Note note)
    {
        bool? verdict = null;
        foreach (var parts in note.Signatures.Select(line => line.Split(' ')).Where(parts => parts[1] == Name))
        {
            var signature = Note.ParseBase64(parts[2])!;
            if (!signature.AsSpan(0, 4).SequenceEqual(Id)) continue;
            var valid = signature.Length == 4 + 64
                && SignatureAlgorithm.Ed25519.Verify(Key, Encoding.UTF8.GetBytes(note.Text), signature.AsSpan(4));
            verdict = (verdict ?? true) && valid;
        }

        return verdict;
    }
}
