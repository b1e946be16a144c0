using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Voters' access tokens: JWT, RS256, <c>typ</c> <c>at+jwt</c>. Safe for use by many threads.</summary>
public sealed class VoterTokens(KeyRing keys, IOptions<TokenOptions> options, TimeProvider clock)
{
    /// <summary>How long an access token is taken.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    internal const string SigningPurpose = "access-tokens";
    internal const string SubjectPurpose = "ballot-subjects";

    internal const string Type = "at+jwt";
    internal const int IdBytes = 16;
    internal const int SealedSubjectBytes = IdBytes + CheckBytes;

    private const int CheckBytes = 4;

    // The keys are loaded after this is made.
    private readonly Lazy<AccessTokenReader> _reader = new(() => new(keys, options.Value, clock));
    private readonly Lazy<MacKey[]> _masks =
        new(() => [.. keys.Secrets(SubjectPurpose).Select(secret => new MacKey(secret))]);

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
    internal VoterCaller? Read(string token)
    {
        if (_reader.Value.Read(token) is not { } claims
            || OpenSubject(claims.SealedSubject, claims.TokenId) is not { } ballotSubject)
        {
            return null;
        }

        return new()
        {
            VoterId = claims.VoterId,
            SessionId = claims.SessionId,
            BallotSubject = ballotSubject,
            Verified = claims.Verified,
            Risk = claims.Risk,
            Device = claims.Device,
            IssuedAt = claims.IssuedAt,
            ExpiresAt = claims.ExpiresAt,
        };
    }

    // Each token has a mask of its own, made from its 128 random bits, as a stream cipher makes one from a nonce. That
    // nobody alters what is masked is the signature's business; the check only tells which secret it was.
    private byte[] SealSubject(ReadOnlySpan<byte> subject, ReadOnlySpan<byte> tokenId)
    {
        Span<byte> mask = stackalloc byte[MacKey.SizeBytes];
        _masks.Value[0].Compute(tokenId, mask);
        var bytes = mask[..SealedSubjectBytes].ToArray();
        for (var i = 0; i < IdBytes; i++) bytes[i] ^= subject[i];
        return bytes;
    }

    private byte[]? OpenSubject(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> tokenId)
    {
        Span<byte> mask = stackalloc byte[MacKey.SizeBytes];
        foreach (var key in _masks.Value)
        {
            key.Compute(tokenId, mask);
            if (!bytes[IdBytes..].SequenceEqual(mask[IdBytes..SealedSubjectBytes])) continue;
            var subject = bytes[..IdBytes].ToArray();
            for (var i = 0; i < IdBytes; i++) subject[i] ^= mask[i];
            return subject;
        }

        return null;
    }
}
