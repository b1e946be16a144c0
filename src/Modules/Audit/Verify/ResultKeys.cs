using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Platform;

namespace Audit;

/// <summary>The public keys of receipts and results, as a JWKS (RFC 7517) has them: those of ES256.</summary>
internal sealed class ResultKeys : IDisposable
{
    private const int SizeBytesMax = 1024 * 1024;
    private const int CoordinateBytes = 32;

    private readonly Dictionary<string, ECDsa> _keys = new(StringComparer.Ordinal);

    private ResultKeys() { }

    /// <exception cref="FormatException">It is no JWKS.</exception>
    public static ResultKeys Parse(ReadOnlyMemory<byte> json)
    {
        var keys = new ResultKeys();
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var key in document.RootElement.GetProperty("keys").EnumerateArray()) keys.Add(key);
            return keys;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
            or CryptographicException or FormatException)
        {
            keys.Dispose();
            throw new FormatException("It is no JWKS.", e);
        }
    }

    /// <summary>Reads it from a file, or by HTTP.</summary>
    /// <exception cref="InvalidSettingsException">There is none.</exception>
    public static async Task<ResultKeys> ReadAsync(string source, HttpClient http, CancellationToken cancel)
    {
        try
        {
            if (!Uri.TryCreate(source, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
                return Parse(await File.ReadAllBytesAsync(source, cancel));
            using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancel);
            answer.EnsureSuccessStatusCode();
            await answer.Content.LoadIntoBufferAsync(SizeBytesMax, cancel);
            return Parse(await answer.Content.ReadAsByteArrayAsync(cancel));
        }
        catch (Exception e) when (e is IOException or HttpRequestException or FormatException
            or UnauthorizedAccessException || (e is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            throw new InvalidSettingsException($"No keys could be read from {source}: {e.Message}");
        }
    }

    /// <summary>Checks a compact JWS.</summary>
    /// <param name="compact">Three parts with dots between.</param>
    /// <param name="type">The <c>typ</c> that its header must have.</param>
    /// <param name="keys">Null where nobody gave any: then the signature is not looked at.</param>
    /// <param name="payload">What is signed.</param>
    /// <param name="problem">Why not.</param>
    public static bool TryVerify(
        string compact, string type, ResultKeys? keys, [NotNullWhen(true)] out byte[]? payload,
        [NotNullWhen(false)] out string? problem)
    {
        payload = null;
        if (compact.Split('.') is not [var header, var body, var signature]
            || !TryDecode(header, out var headerBytes) || !TryDecode(body, out var bodyBytes)
            || !TryDecode(signature, out var signatureBytes))
        {
            problem = "It is no compact JWS.";
            return false;
        }

        problem = keys is null ? null : keys.Verify(headerBytes, type, $"{header}.{body}", signatureBytes);
        if (problem is null) payload = bodyBytes;
        return problem is null;
    }

    public void Dispose()
    {
        foreach (var key in _keys.Values) key.Dispose();
    }

    private string? Verify(byte[] header, string type, string signed, byte[] signature)
    {
        try
        {
            using var json = JsonDocument.Parse(header);
            var (alg, typ, kid) = (Text(json, "alg"), Text(json, "typ"), Text(json, "kid"));
            if (alg is not "ES256" || typ != type) return $"Its header does not say ES256 and {type}.";
            if (kid is null || !_keys.TryGetValue(kid, out var key)) return "Its key is none of those given.";
            return key.VerifyData(Encoding.ASCII.GetBytes(signed), signature, HashAlgorithmName.SHA256)
                ? null : "Its signature is wrong.";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return "Its header is malformed.";
        }
    }

    private static string? Text(JsonDocument json, string name) =>
        json.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;

    private void Add(JsonElement key)
    {
        if (Text("kty") is not "EC" || Text("crv") is not "P-256" || Text("kid") is not { } kid) return;
        _keys[kid] = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new() { X = Coordinate("x"), Y = Coordinate("y") },
        });

        string? Text(string name) => key.TryGetProperty(name, out var value) ? value.GetString() : null;

        byte[] Coordinate(string name) => TryDecode(Text(name) ?? "", out var bytes) && bytes.Length == CoordinateBytes
            ? bytes : throw new FormatException("A coordinate has 32 bytes.");
    }

    private static bool TryDecode(string text, out byte[] bytes)
    {
        bytes = [];
        // The framework throws at a sign that base64url has not.
        if (text.Length % 4 == 1 || !text.All(sign => char.IsAsciiLetterOrDigit(sign) || sign is '-' or '_'))
            return false;
        bytes = Base64Url.DecodeFromChars(text);
        // One spelling only: unused bits are zero.
        return Base64Url.EncodeToString(bytes) == text;
    }
}
