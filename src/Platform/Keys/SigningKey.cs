using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using NSec.Cryptography;

namespace Platform;

/// <summary>A key pair that signs. Safe for use by many threads; lives as long as the process.</summary>
public sealed class SigningKey
{
    private readonly RSA? _rsa;
    private readonly RSA? _rsaVerifier;
    private readonly ECDsa? _ecdsa;
    private readonly Key? _ed25519;
    private readonly SecurityKey? _verifier;

    internal SigningKey(string keyId, KeyAlgorithm algorithm, ReadOnlySpan<byte> pkcs8)
    {
        (KeyId, Algorithm) = (keyId, algorithm);
        if (algorithm is KeyAlgorithm.Rs256)
        {
            _rsa = RSA.Create();
            _rsa.ImportPkcs8PrivateKey(pkcs8, out _);
            // Without the private half it checks a quarter faster.
            _rsaVerifier = RSA.Create(_rsa.ExportParameters(includePrivateParameters: false));
            _verifier = new RsaSecurityKey(_rsaVerifier);
            PublicKey = _rsa.ExportSubjectPublicKeyInfo();
        }
        else if (algorithm is KeyAlgorithm.Ed25519)
        {
            _ed25519 = Key.Import(SignatureAlgorithm.Ed25519, pkcs8, KeyBlobFormat.PkixPrivateKey);
            PublicKey = _ed25519.Export(KeyBlobFormat.PkixPublicKey);
            RawPublicKey = _ed25519.Export(KeyBlobFormat.RawPublicKey);
        }
        else
        {
            _ecdsa = ECDsa.Create();
            _ecdsa.ImportPkcs8PrivateKey(pkcs8, out _);
            _verifier = new ECDsaSecurityKey(ECDsa.Create(_ecdsa.ExportParameters(includePrivateParameters: false)));
            PublicKey = _ecdsa.ExportSubjectPublicKeyInfo();
        }

        _verifier?.KeyId = keyId;
    }

    /// <summary>The <c>kid</c> of what it signs. No two keys of an installation share one.</summary>
    public string KeyId { get; }

    /// <summary>Never <see cref="KeyAlgorithm.Secret32"/>.</summary>
    public KeyAlgorithm Algorithm { get; }

    /// <summary>The algorithm's name in a JWS: <c>RS256</c>, <c>ES256</c> or <c>EdDSA</c>.</summary>
    public string JwsAlgorithm => Algorithm switch
    {
        KeyAlgorithm.Rs256 => "RS256",
        KeyAlgorithm.Ed25519 => "EdDSA",
        _ => "ES256",
    };

    /// <summary>The public half, as a SubjectPublicKeyInfo in DER.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>The 32 bytes of RFC 8032 of an Ed25519 key; empty for every other.</summary>
    public ReadOnlyMemory<byte> RawPublicKey { get; }

    /// <summary>The public half as the token library takes it.</summary>
    /// <exception cref="InvalidOperationException">It is an Ed25519 key, which the library does not know.</exception>
    internal SecurityKey Verifier =>
        _verifier ?? throw new InvalidOperationException("An Ed25519 key checks no tokens.");

    /// <returns>The signature as a JWS has it: for ES256 the 64 bytes r ‖ s.</returns>
    public byte[] Sign(ReadOnlySpan<byte> message) => _ed25519 is not null
        ? SignatureAlgorithm.Ed25519.Sign(_ed25519, message)
        : _rsa is not null
        ? _rsa.SignData(message, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
        : _ecdsa!.SignData(message, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    /// <returns>Whether the signature is this key's over that message.</returns>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => _ed25519 is not null
        ? SignatureAlgorithm.Ed25519.Verify(_ed25519.PublicKey, message, signature)
        : _rsaVerifier is not null
        ? _rsaVerifier.VerifyData(message, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
        : _ecdsa!.VerifyData(
            message, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    /// <summary>Writes the public half as one object of a JWKS (RFC 7517), with kid, alg and use.</summary>
    /// <exception cref="InvalidOperationException">It is an Ed25519 key: those stand in no JWKS.</exception>
    public void WriteJwk(Utf8JsonWriter json)
    {
        if (_ed25519 is not null) throw new InvalidOperationException("An Ed25519 key stands in no JWKS.");
        json.WriteStartObject();
        if (_rsa is not null)
        {
            var parameters = _rsa.ExportParameters(includePrivateParameters: false);
            json.WriteString("kty", "RSA");
            json.WriteString("n", Base64Url.EncodeToString(parameters.Modulus));
            json.WriteString("e", Base64Url.EncodeToString(parameters.Exponent));
        }
        else
        {
            var point = _ecdsa!.ExportParameters(includePrivateParameters: false).Q;
            json.WriteString("kty", "EC");
            json.WriteString("crv", "P-256");
            json.WriteString("x", Base64Url.EncodeToString(point.X));
            json.WriteString("y", Base64Url.EncodeToString(point.Y));
        }

        json.WriteString("kid", KeyId);
        json.WriteString("alg", JwsAlgorithm);
        json.WriteString("use", "sig");
        json.WriteEndObject();
    }
}
