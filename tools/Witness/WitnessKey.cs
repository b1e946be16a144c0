using System.Buffers.Binary;
using System.Text;
using NSec.Cryptography;

namespace Witness;

/// <summary>The key that the witness signs with.</summary>
internal sealed class WitnessKey(string name, Key key)
{
    private const byte Cosignature = 0x04;

    private readonly byte[] _public = key.Export(KeyBlobFormat.RawPublicKey);

    /// <summary>As logs are told it.</summary>
    public string Verifier =>
        $"{name}+{Convert.ToHexStringLower(Id)}+{Convert.ToBase64String([Cosignature, .. _public])}";

    private byte[] Id => LogKey.IdOf(name, Cosignature, _public);

    /// <summary>Reads the key, or makes one where there is none: base64 of 32 bytes, for its owner alone.</summary>
    /// <exception cref="IOException">The file can be neither read nor written, or holds something else.</exception>
    public static WitnessKey Open(string name, string file)
    {
        var policy = new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };
        if (!File.Exists(file))
        {
            var made = Key.Create(SignatureAlgorithm.Ed25519, policy);
            var text = $"{Convert.ToBase64String(made.Export(KeyBlobFormat.RawPrivateKey))}\n";
            DurableFile.Write(file, text, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return new(name, made);
        }

        var seed = Note.ParseBase64(File.ReadAllText(file).TrimEnd('\n'));
        return seed is { Length: 32 }
            ? new(name, Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey, policy))
            : throw new IOException($"{file} holds no key of a witness.");
    }

    /// <returns>The signature line: that the checkpoint is consistent with all seen before, at that time.</returns>
    public string Sign(string checkpoint, DateTimeOffset now)
    {
        var seconds = now.ToUnixTimeSeconds();
        var time = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(time, (ulong)seconds);
        var message = Encoding.UTF8.GetBytes($"cosignature/v1\ntime {seconds}\n{checkpoint}");
        var signature = SignatureAlgorithm.Ed25519.Sign(key, message);
        return $"— {name} {Convert.ToBase64String([.. Id, .. time, .. signature])}\n";
    }
}
