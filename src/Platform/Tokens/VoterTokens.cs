using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Platform;

/// <summary>Voters' access tokens: JWT, RS256, <c>typ</c> <c>at+jwt</c>. Safe for use by many threads.</summary>
public sealed class VoterTokens(KeyRing keys, IOptions<TokenOptions> options, TimeProvider clock)
{
    /// <summary>How long an access token is taken.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    internal const string SigningPurpose = "access-tokens";
    internal const string SubjectPurpose = "ballot-subjects";

    private const string Type = "at+jwt";
    private const int IdBytes = 16;
    private const int TagBytes = 16;

    private static readonly byte[] Nonce = new byte[12];

    private readonly Lazy<SignedTokens> _reader = new(() =>
        new(keys, options.Value, clock, SigningPurpose, "RS256", Type, options.Value.Audience));

    /// <summary>Signs an access token for a session.</summary>
    /// <param name="voterId">16 bytes.</param>
    /// <param name="sessionId">16 bytes.</param>
    /// <param name="ballotSubject">16 bytes; goes into the token encrypted.</param>
    /// <param name="verified">Whether an identity check has shown who the voter is.</param>
    /// <param name="device">The device that the session is bound to, or null.</param>
    /// <param name="risk">0 to 100.</param>
    public string Issue(
        ReadOnlySpan<byte> voterId, ReadOnlySpan<byte> sessionId, ReadOnlySpan<byte> ballotSubject, bool verified,
        string? device = null, int risk = 0)
    {
        var tokenId = RandomNumberGenerator.GetBytes(IdBytes);
        var (subject, session) = (Base64Url.EncodeToString(voterId), Base64Url.EncodeToString(sessionId));
        var sealedSubject = Base64Url.EncodeToString(SealSubject(ballotSubject, tokenId));
        var now = clock.GetUtcNow();
        return Jws.Sign(keys.Current(SigningPurpose), Type, json =>
        {
            json.WriteString("iss", options.Value.Issuer);
            json.WriteString("aud", options.Value.Audience);
            json.WriteString("sub", subject);
            json.WriteString("sid", session);
            json.WriteString("jti", Base64Url.EncodeToString(tokenId));
            json.WriteNumber("iat", now.ToUnixTimeSeconds());
            json.WriteNumber("exp", (now + Lifetime).ToUnixTimeSeconds());
            if (device is not null) json.WriteString("device", device);
            json.WriteBoolean("verified", verified);
            json.WriteNumber("risk", risk);
            json.WriteString("scope", "vote");
            json.WriteString("sbj", sealedSubject);
        });
    }

    /// <returns>Who the token names, or null when it is not a valid access token of ours.</returns>
    internal async ValueTask<VoterCaller?> ReadAsync(string token)
    {
        if (await _reader.Value.ReadAsync(token) is not { } read) return null;
        if (read.IssuedAt == default
            || !TryId(read, "sub", out var voterId) || !TryId(read, "sid", out var sessionId)
            || !TryId(read, "jti", out var tokenId)
            || !read.TryGetPayloadValue<string>("sbj", out var sealedSubject)
            || !read.TryGetPayloadValue<bool>("verified", out var verified)
            || !read.TryGetPayloadValue<int>("risk", out var risk)
            || OpenSubject(sealedSubject, tokenId) is not { } ballotSubject)
        {
            return null;
        }

        return new()
        {
            VoterId = voterId,
            SessionId = sessionId,
            BallotSubject = ballotSubject,
            Verified = verified,
            Risk = risk,
            Device = read.TryGetPayloadValue<string>("device", out var device) ? device : null,
            IssuedAt = new(read.IssuedAt, TimeSpan.Zero),
            ExpiresAt = new(read.ValidTo, TimeSpan.Zero),
        };
    }

    // Each token has an encryption key of its own, made from its 128 random bits: an installation signs more tokens
    // than AES-GCM may have random nonces under one key, so the nonce is fixed and the key is what changes.
    private byte[] SealSubject(ReadOnlySpan<byte> subject, ReadOnlySpan<byte> tokenId)
    {
        var bytes = new byte[IdBytes + TagBytes];
        using var cipher = new AesGcm(HMACSHA256.HashData(keys.Secret(SubjectPurpose), tokenId), TagBytes);
        cipher.Encrypt(Nonce, subject, bytes.AsSpan(0, IdBytes), bytes.AsSpan(IdBytes));
        return bytes;
    }

    private byte[]? OpenSubject(string text, ReadOnlySpan<byte> tokenId)
    {
        Span<byte> bytes = stackalloc byte[IdBytes + TagBytes];
        if (!Base64Id.TryDecode(text, bytes)) return null;

        var subject = new byte[IdBytes];
        foreach (var secret in keys.Secrets(SubjectPurpose))
        {
            try
            {
                using var cipher = new AesGcm(HMACSHA256.HashData(secret, tokenId), TagBytes);
                cipher.Decrypt(Nonce, bytes[..IdBytes], bytes[IdBytes..], subject);
                return subject;
            }
            catch (AuthenticationTagMismatchException)
            {
                // Sealed under an older secret, perhaps: the next one will tell.
            }
        }

        return null;
    }

    private static bool TryId(JsonWebToken token, string claim, out byte[] id)
    {
        id = new byte[IdBytes];
        return token.TryGetPayloadValue<string>(claim, out var text) && Base64Id.TryDecode(text, id);
    }
}
