using System.Security.Cryptography;
using System.Text;
using Audit;
using NSec.Cryptography;

namespace AuditTests;

internal static class Signers
{
    /// <returns>The same key at each call, so that a failure can be looked at again.</returns>
    public static NoteSigner Of(NoteKeyType type, string name)
    {
        var seed = SHA256.HashData(Encoding.UTF8.GetBytes($"{type} {name}"));
        var key = Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey);
        return new(
            VerifierKey.Of(type, name, key.Export(KeyBlobFormat.RawPublicKey)),
            message => SignatureAlgorithm.Ed25519.Sign(key, message));
    }

    public static NoteSigner Log(string name) => Of(NoteKeyType.Log, name);

    public static NoteSigner Witness(string name) => Of(NoteKeyType.Witness, name);
}
