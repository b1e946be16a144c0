using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Testing;

namespace EndToEndTests;

/// <summary>A compact JWS taken apart, checked and put together by hand: shares no code with the platform.</summary>
internal sealed record Jwt(JsonElement Header, JsonElement Payload, byte[] Signed, byte[] Signature)
{
    public static Jwt Parse(string token)
    {
        var parts = token.Split('.');
        Assert.Equal(3, parts.Length);
        return new(
            Decode(parts[0]), Decode(parts[1]), Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"),
            Base64Url.DecodeFromChars(parts[2]));

        static JsonElement Decode(string part) => JsonDocument.Parse(Base64Url.DecodeFromChars(part)).RootElement;
    }

    /// <summary>Checks the signature against a key of a JWKS.</summary>
    public bool IsSignedBy(JsonElement jwk)
    {
        if (Text(jwk, "kty") == "RSA")
        {
            using var rsa = RSA.Create(new RSAParameters { Modulus = Bytes(jwk, "n"), Exponent = Bytes(jwk, "e") });
            return rsa.VerifyData(Signed, Signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        }

        using var ec = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new() { X = Bytes(jwk, "x"), Y = Bytes(jwk, "y") },
        });
        return ec.VerifyData(Signed, Signature, HashAlgorithmName.SHA256);
    }

    /// <summary>Signs other claims under another head.</summary>
    /// <param name="header">What is set in the head; null removes the member.</param>
    /// <param name="payload">What is set in the claims; null removes the member.</param>
    /// <param name="sign">The signature over what is to be signed.</param>
    public string Forge(
        Func<byte[], byte[]> sign, (string Name, JsonNode? Value)[]? header = null,
        (string Name, JsonNode? Value)[]? payload = null)
    {
        var signed = $"{Part(Header, header)}.{Part(Payload, payload)}";
        return $"{signed}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(signed)))}";

        static string Part(JsonElement from, (string Name, JsonNode? Value)[]? changes)
        {
            var json = JsonNode.Parse(from.GetRawText())!.AsObject();
            foreach (var (name, value) in changes ?? [])
            {
                if (value is null) json.Remove(name);
                else json[name] = value.DeepClone();
            }

            return Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
        }
    }

    public string Claim(string name) => Text(Payload, name);

    public string Head(string name) => Text(Header, name);

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static byte[] Bytes(JsonElement json, string name) => Base64Url.DecodeFromChars(Text(json, name));
}

/// <summary>The platform's own signing keys, opened by the master key that these tests gave it.</summary>
internal static class StolenKeys
{
    /// <returns>A signature as the platform itself would make it.</returns>
    public static async Task<Func<byte[], byte[]>> SignerAsync(Site site, string purpose)
    {
        var keyId = await site.ScalarAsync<string>(
            "SELECT key_id FROM platform.keys WHERE purpose = $1 ORDER BY number DESC LIMIT 1", purpose);
        var wrapped = await site.ScalarAsync<byte[]>("SELECT wrapped_key FROM platform.keys WHERE key_id = $1", keyId!);
        var pkcs8 = new byte[wrapped!.Length - 29];
        using var cipher = new AesGcm(Convert.FromBase64String(Installation.MasterKey), 16);
        cipher.Decrypt(
            wrapped.AsSpan(1, 12), wrapped.AsSpan(13, pkcs8.Length), wrapped.AsSpan(wrapped.Length - 16), pkcs8,
            Encoding.UTF8.GetBytes($"key:{purpose}:{keyId}"));
        return purpose == "access-tokens"
            ? bytes =>
            {
                using var rsa = RSA.Create();
                rsa.ImportPkcs8PrivateKey(pkcs8, out _);
                return rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            }
        : bytes =>
        {
            using var ec = ECDsa.Create();
            ec.ImportPkcs8PrivateKey(pkcs8, out _);
            return ec.SignData(bytes, HashAlgorithmName.SHA256);
        };
    }
}
