using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using Platform;

namespace Identity;

/// <summary>
/// A refresh token: base64url of session id (16 bytes) ‖ generation (4, big endian) ‖ HMAC-SHA-256 of both. The
/// session's row keeps the generation alone, so the table gives no token away, and a generation has one token only.
/// </summary>
internal static class RefreshToken
{
    public const string KeyPurpose = "refresh-tokens";

    private const int SessionBytes = 16;
    private const int SignedBytes = SessionBytes + sizeof(int);
    private const int SizeBytes = SignedBytes + HMACSHA256.HashSizeInBytes;

    public static string Of(KeyRing keys, ReadOnlySpan<byte> sessionId, int generation)
    {
        Span<byte> bytes = stackalloc byte[SizeBytes];
        sessionId.CopyTo(bytes);
        BinaryPrimitives.WriteInt32BigEndian(bytes[SessionBytes..], generation);
        HMACSHA256.HashData(keys.Secret(KeyPurpose), bytes[..SignedBytes], bytes[SignedBytes..]);
        return Base64Url.EncodeToString(bytes);
    }

    /// <returns>Whether we made the token, for which session, and as which of its generations.</returns>
    public static bool TryRead(KeyRing keys, string token, out byte[] sessionId, out int generation)
    {
        (sessionId, generation) = ([], 0);
        Span<byte> bytes = stackalloc byte[SizeBytes];
        if (!Base64Id.TryDecode(token, bytes)) return false;

        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var secret in keys.Secrets(KeyPurpose))
        {
            HMACSHA256.HashData(secret, bytes[..SignedBytes], expected);
            if (!CryptographicOperations.FixedTimeEquals(expected, bytes[SignedBytes..])) continue;
            sessionId = bytes[..SessionBytes].ToArray();
            generation = BinaryPrimitives.ReadInt32BigEndian(bytes[SessionBytes..]);
            return true;
        }

        return false;
    }
}
