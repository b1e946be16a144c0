using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Platform;

/// <summary>What a valid access token says; the ballot subject is still encrypted.</summary>
internal sealed class AccessTokenClaims
{
    public byte[] VoterId { get; } = new byte[VoterTokens.IdBytes];

    public byte[] SessionId { get; } = new byte[VoterTokens.IdBytes];

    public byte[] TokenId { get; } = new byte[VoterTokens.IdBytes];

    public byte[] SealedSubject { get; } = new byte[VoterTokens.SealedSubjectBytes];

    public bool Verified { get; set; }

    public int Risk { get; set; }

    public string? Device { get; set; }

    public DateTimeOffset IssuedAt { get; set; }

    public DateTimeOffset ExpiresAt { get; set; }
}

/// <summary>
/// Checks voters' access tokens (RFC 7515, RFC 7519, RFC 9068) of one key purpose, RS256 and nothing else. By hand, not
/// by the library that checks all other tokens: one stands before every vote. Safe for use by many threads.
/// </summary>
internal sealed class AccessTokenReader(KeyRing keys, TokenOptions options, TimeProvider clock)
{
    private const int SizeBytesMax = 8 * 1024;
    private const int SignatureSizeBytes = 256;

    // Every member that must be there, a bit each.
    private const int Complete = (1 << 10) - 1;

    // How we write the header for each key: what it says need not be read every time.
    private readonly (string Header, SigningKey Key)[] _ours =
        [.. keys.All(VoterTokens.SigningPurpose).Select(key => (Jws.Header(key, VoterTokens.Type), key))];

    /// <returns>What the token says, or null when it is not a valid access token of ours.</returns>
    public AccessTokenClaims? Read(string token)
    {
        if (token.Length > SizeBytesMax) return null;
        var (afterHeader, afterPayload) = (token.IndexOf('.'), token.LastIndexOf('.'));
        if (afterHeader < 0 || afterPayload == afterHeader) return null;
        if (KeyOf(token.AsSpan(0, afterHeader)) is not { } key) return null;

        Span<byte> signature = stackalloc byte[SignatureSizeBytes];
        if (!Base64Id.TryDecode(token.AsSpan(afterPayload + 1), signature)) return null;
        var buffer = ArrayPool<byte>.Shared.Rent(2 * afterPayload);
        try
        {
            var signed = buffer.AsSpan(0, Encoding.ASCII.GetBytes(token.AsSpan(0, afterPayload), buffer));
            if (!key.Verify(signed, signature)) return null;
            // A second dot within would be a sign that base64url has not.
            var payload = buffer.AsSpan(afterPayload);
            return Base64Url.DecodeFromUtf8(signed[(afterHeader + 1)..], payload, out _, out var length)
                is OperationStatus.Done ? Claims(payload[..length]) : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private SigningKey? KeyOf(ReadOnlySpan<char> header)
    {
        foreach (var (ours, key) in _ours)
        {
            if (header.SequenceEqual(ours)) return key;
        }

        // The same, said in other words: what counts is what it says.
        var json = new byte[header.Length];
        if (Base64Url.DecodeFromChars(header, json, out _, out var length) is not OperationStatus.Done) return null;
        try
        {
            return KeyOf(json.AsSpan(0, length));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or text that is no UTF-8.
            return null;
        }
    }

    private SigningKey? KeyOf(ReadOnlySpan<byte> header)
    {
        var json = new Utf8JsonReader(header);
        var (algorithm, type, keyId) = ("", "", "");
        json.Read();
        if (json.TokenType is not JsonTokenType.StartObject) return null;
        while (json.Read() && json.TokenType is JsonTokenType.PropertyName)
        {
            var name = json.GetString();
            json.Read();
            // Nobody may ask us to understand more than these (RFC 7515, 4.1.11).
            if (name is "crit") return null;
            if (name is not ("alg" or "typ" or "kid"))
            {
                json.Skip();
                continue;
            }

            if (json.TokenType is not JsonTokenType.String) return null;
            if (name is "alg") algorithm = json.GetString();
            else if (name is "typ") type = json.GetString();
            else keyId = json.GetString();
        }

        if (json.TokenType is not JsonTokenType.EndObject || json.Read()) return null;
        if (algorithm is not "RS256" || type is not VoterTokens.Type) return null;
        return Array.Find(_ours, ours => ours.Key.KeyId == keyId).Key;
    }

    private AccessTokenClaims? Claims(ReadOnlySpan<byte> payload)
    {
        try
        {
            var claims = new AccessTokenClaims();
            var json = new Utf8JsonReader(payload);
            json.Read();
            if (json.TokenType is not JsonTokenType.StartObject) return null;
            var seen = 0;
            while (json.Read() && json.TokenType is JsonTokenType.PropertyName)
            {
                if (Member(ref json, claims) is not { } member) return null;
                seen |= member;
            }

            return seen == Complete && json.TokenType is JsonTokenType.EndObject && !json.Read() ? claims : null;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            // Signed by us, and yet not what we write: an element of another type.
            return null;
        }
    }

    /// <returns>The bit of a required member, 0 for another one, null for one that makes the token invalid.</returns>
    private int? Member(ref Utf8JsonReader json, AccessTokenClaims claims)
    {
        if (json.ValueTextEquals("iss"u8)) return Says(ref json, options.Issuer, 1 << 0);
        if (json.ValueTextEquals("aud"u8)) return Says(ref json, options.Audience, 1 << 1);
        if (json.ValueTextEquals("sub"u8)) return Bytes(ref json, claims.VoterId, 1 << 2);
        if (json.ValueTextEquals("sid"u8)) return Bytes(ref json, claims.SessionId, 1 << 3);
        if (json.ValueTextEquals("jti"u8)) return Bytes(ref json, claims.TokenId, 1 << 4);
        if (json.ValueTextEquals("sbj"u8)) return Bytes(ref json, claims.SealedSubject, 1 << 5);
        if (json.ValueTextEquals("iat"u8))
        {
            claims.IssuedAt = Time(ref json);
            return 1 << 6;
        }

        if (json.ValueTextEquals("exp"u8))
        {
            claims.ExpiresAt = Time(ref json);
            return clock.GetUtcNow() < claims.ExpiresAt + options.ClockSkew ? 1 << 7 : null;
        }

        if (json.ValueTextEquals("nbf"u8))
            return Time(ref json) - options.ClockSkew <= clock.GetUtcNow() ? 0 : null;
        if (json.ValueTextEquals("verified"u8))
        {
            json.Read();
            claims.Verified = json.GetBoolean();
            return 1 << 8;
        }

        if (json.ValueTextEquals("risk"u8))
        {
            json.Read();
            claims.Risk = json.GetInt32();
            return 1 << 9;
        }

        var isDevice = json.ValueTextEquals("device"u8);
        json.Read();
        if (isDevice) claims.Device = json.GetString();
        else json.Skip();
        return 0;
    }

    private static int? Says(ref Utf8JsonReader json, string expected, int bit)
    {
        json.Read();
        return json.TokenType is JsonTokenType.String && json.ValueTextEquals(expected) ? bit : null;
    }

    private static int? Bytes(ref Utf8JsonReader json, Span<byte> bytes, int bit)
    {
        json.Read();
        return Base64Id.TryDecode(json.GetString(), bytes) ? bit : null;
    }

    private static DateTimeOffset Time(ref Utf8JsonReader json)
    {
        json.Read();
        // Beyond what a time can be, it is none that we write.
        var seconds = json.GetInt64();
        return seconds is >= 0 and < 253_402_300_800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw new FormatException("Not a time.");
    }
}
