using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Platform;

namespace Identity;

/// <summary>What a sign-in and a refresh answer.</summary>
/// <param name="AccessToken">Comes with every request of the voter.</param>
/// <param name="IdToken">Tells the app who signed in.</param>
/// <param name="RefreshToken">Good for one refresh.</param>
/// <param name="TokenType">How the access token is presented.</param>
/// <param name="ExpiresIn">Seconds until the access token is refused.</param>
/// <param name="VoterId">22 characters.</param>
internal sealed record TokenResponse(
    string AccessToken, string IdToken, string RefreshToken, string TokenType, int ExpiresIn, string VoterId);

/// <summary>A session as its tokens name it.</summary>
/// <param name="SessionId">16 bytes.</param>
/// <param name="VoterId">16 bytes.</param>
/// <param name="Device">What it is bound to, or null.</param>
/// <param name="Generation">Counts its refresh tokens, from 1.</param>
/// <param name="Verified">Whether an identity check has shown who the voter is.</param>
internal sealed record Session(byte[] SessionId, byte[] VoterId, string? Device, int Generation, bool Verified);

/// <summary>Makes the three tokens of a session.</summary>
internal sealed class SessionTokens(
    KeyRing keys, VoterTokens access, IOptions<IdentityOptions> identity, IOptions<TokenOptions> tokens,
    TimeProvider clock)
{
    public const string IdTokenKeyPurpose = "id-tokens";

    /// <param name="session">Its generation's refresh token is the one given.</param>
    /// <param name="nonce">For the ID token, where the app sent one.</param>
    public TokenResponse Issue(Session session, string? nonce)
    {
        // The subject of ballots is the voter as long as nobody has checked who the voter is.
        var accessToken = access.Issue(
            session.VoterId, session.SessionId, session.VoterId, session.Verified, session.Device);
        var voterId = Base64Url.EncodeToString(session.VoterId);
        return new(
            accessToken, IdToken(session, voterId, accessToken, nonce),
            RefreshToken.Of(keys, session.SessionId, session.Generation), "Bearer",
            (int)VoterTokens.Lifetime.TotalSeconds, voterId);
    }

    private string IdToken(Session session, string voterId, string accessToken, string? nonce)
    {
        var now = clock.GetUtcNow();
        // OpenID Connect Core 3.1.3.6: the left half of the access token's hash ties the two together.
        var accessTokenHash = SHA256.HashData(Encoding.ASCII.GetBytes(accessToken)).AsSpan(0, 16).ToArray();
        return Jws.Sign(keys.Current(IdTokenKeyPurpose), "JWT", json =>
        {
            json.WriteString("iss", tokens.Value.Issuer);
            json.WriteString("aud", identity.Value.ClientId);
            json.WriteString("sub", voterId);
            json.WriteString("sid", Base64Url.EncodeToString(session.SessionId));
            json.WriteNumber("iat", now.ToUnixTimeSeconds());
            json.WriteNumber("exp", (now + VoterTokens.Lifetime).ToUnixTimeSeconds());
            json.WriteString("at_hash", Base64Url.EncodeToString(accessTokenHash));
            if (nonce is not null) json.WriteString("nonce", nonce);
        });
    }
}
