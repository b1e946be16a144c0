using System.Security.Cryptography;
using System.Text;
using Audit;
using NSec.Cryptography;

namespace AuditTests;

internal static class Signers
{
    /// <returns>The same key at each call, so that a failure can be looked at again.</returns>
    /// <param name="number">Tells keys of one name apart.</param>
    public static NoteSigner Of(NoteKeyType type, string name, int number = 0)
    {
        var seed = SHA256.HashData(Encoding.UTF8.GetBytes($"{type} {name} {number}"));
        var key = Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey);
        return new(
            VerifierKey.Of(type, name, key.Export(KeyBlobFormat.RawPublicKey)),
            message => SignatureAlgorithm.Ed25519.Sign(key, message));
    }

    public static NoteSigner Log(string name, int number = 0) => Of(NoteKeyType.Log, name, number);

    public static NoteSigner Witness(string name) => Of(NoteKeyType.Witness, name);
}
