using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Audit;

/// <summary>
/// <c>checkpoint.json</c>: a <see cref="CheckpointStatement"/> as a flattened JWS (RFC 7515), EdDSA (RFC 8037).
/// </summary>
/// <remarks>
/// <c>kid</c> is the key's name and id as in its verifier key, <c>voting.example/votes-07+1a2b3c4d</c>. The log's
/// newest key signs it; the note within is signed by every key that the log has.
/// </remarks>
internal sealed class CheckpointDocument
{
    /// <summary>What the object is called in the store.</summary>
    public const string ContentType = "application/jose+json";

    /// <summary>Most bytes that are looked at.</summary>
    public const int SizeBytesMax = 1024 * 1024;

    private const string Algorithm = "EdDSA";

    // Names of keys may hold what HTML would have escaped.
    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    private readonly string _signed;
    private readonly NoteSignature _signature;

    private CheckpointDocument(
        CheckpointStatement statement, VerifierKey key, string signed, NoteSignature signature,
        ReadOnlyMemory<byte> bytes)
    {
        (Statement, Key, _signed, _signature, Bytes) = (statement, key, signed, signature, bytes);
        Digest = Audit.Digest.Of(bytes.Span);
    }

    /// <summary>What is said. Who says it, <see cref="IsSignedBy"/> tells.</summary>
    public CheckpointStatement Statement { get; }

    /// <summary>The key that it says it is signed by. That it is the log's, others must tell.</summary>
    public VerifierKey Key { get; }

    /// <summary>The file.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>SHA-256 of the file: the next checkpoint names it.</summary>
    public Digest Digest { get; }

    /// <summary>Signs a statement. The same statement and key make the same bytes.</summary>
    /// <param name="statement">Must be consistent with every one that the log signed before.</param>
    /// <param name="signer">A key of the log, named as its origin.</param>
    public static CheckpointDocument Sign(CheckpointStatement statement, NoteSigner signer)
    {
        var signed = $"{Encode(Header(signer.Verifier))}.{Encode(statement.ToBytes())}";
        return Of(statement, signer.Verifier, signed, signer.Sign(signed));
    }

    /// <summary>Takes the bytes that <see cref="Sign"/> makes, and no others.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out CheckpointDocument? document)
    {
        document = null;
        if (bytes.Length > SizeBytesMax) return false;
        try
        {
            using var json = JsonDocument.Parse(bytes);
            var (header, payload) = (Member(json, "protected"), Member(json, "payload"));
            if (!TryKey(StrictText.FromBase64Url(header), out var key)
                || !CheckpointStatement.TryParse(StrictText.FromBase64Url(payload), out var statement))
            {
                return false;
            }

            var signature = new NoteSignature(
                key.Name, key.Id, StrictText.FromBase64Url(Member(json, "signature")));
            document = Of(statement, key, $"{header}.{payload}", signature);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException)
        {
            return false;
        }

        if (bytes.Span.SequenceEqual(document.Bytes.Span)) return true;
        document = null;
        return false;
    }

    /// <returns>
    /// Whether one of the keys signed it, and the note within holds as well. A key speaks for the log that is its name.
    /// </returns>
    public bool IsSignedBy(IReadOnlyCollection<VerifierKey> keys) =>
        _signature.Name == Statement.Note.Checkpoint.Origin
        && keys.Any(key => key.Type is NoteKeyType.Log && key.IsNamedBy(_signature)
            && key.Verifies(_signed, _signature))
        && IsNotedBy(keys);

    /// <returns>
    /// Whether the note within is of one of the keys: what it says of the tree was said by the log, whoever signed the
    /// document around it.
    /// </returns>
    public bool IsNotedBy(IReadOnlyCollection<VerifierKey> keys) =>
        Statement.Note.Verify(keys, out _) is NoteVerdict.Verified;

    private static CheckpointDocument Of(
        CheckpointStatement statement, VerifierKey key, string signed, NoteSignature signature)
    {
        // Nothing in these three has to be escaped.
        var dot = signed.IndexOf('.', StringComparison.Ordinal);
        var encoded = Encode(signature.Bytes.Span);
        var json = $$"""
            {"payload":"{{signed[(dot + 1)..]}}","protected":"{{signed[..dot]}}","signature":"{{encoded}}"}
            """;
        return new(statement, key, signed, signature, Encoding.ASCII.GetBytes(json));
    }

    private static byte[] Header(VerifierKey key)
    {
        var kid = string.Create(CultureInfo.InvariantCulture, $"{key.Name}+{key.Id:x8}");
        return Encoding.UTF8.GetBytes(
            $$$"""
            {"alg":"{{{Algorithm}}}","kid":"{{{JsonEncodedText.Encode(kid, Encoder)}}}",
            """ + $$$"""
            "jwk":{"kty":"OKP","crv":"Ed25519","x":"{{{Encode(key.PublicKey)}}}"}}
            """);
    }

    private static bool TryKey(byte[] header, [NotNullWhen(true)] out VerifierKey? key)
    {
        key = null;
        using var json = JsonDocument.Parse(header);
        var x = json.RootElement.GetProperty("jwk").GetProperty("x").GetString();
        if (json.RootElement.GetProperty("kid").GetString()?.Split('+') is not [{ Length: > 0 } name, _]
            || !VerifierKey.TryCreate(NoteKeyType.Log, name, StrictText.FromBase64Url(x), out key))
        {
            return false;
        }

        // Another algorithm, another id, or anything more, is not ours.
        return header.AsSpan().SequenceEqual(Header(key));
    }

    private static string Member(JsonDocument json, string name) =>
        json.RootElement.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null.");

    private static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);
}
