using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Sandbox;

/// <summary>Mints ID tokens as each provider would, right ones and wrong ones.</summary>
internal sealed class IdTokens(Address address, TimeProvider clock)
{
    /// <summary>The client id that the platform is configured with, unless a caller names another.</summary>
    public const string Audience = "voting-sandbox";

    private const int LifetimeSeconds = 3600;

    /// <summary>A compact JWS. Without flaws it is a token that the platform must accept.</summary>
    public string Mint(Provider provider, string subject, string nonce, string audience, IReadOnlySet<Flaw> flaws)
    {
        if (flaws.Contains(Flaw.Malformed)) return "this-is-no-token";

        var key = flaws.Contains(Flaw.WrongKey) || flaws.Contains(Flaw.UnknownKey) ? provider.ForeignKey : provider.Key;
        var algorithm = flaws.Contains(Flaw.AlgNone) ? "none" : flaws.Contains(Flaw.AlgHmac) ? "HS256" : "RS256";
        var keyId = flaws.Contains(Flaw.UnknownKey) ? key.Id : provider.Key.Id;
        var header = JsonSerializer.SerializeToUtf8Bytes(new TokenHeader(algorithm, keyId), Json.Default.TokenHeader);
        var claims = JsonSerializer.SerializeToUtf8Bytes(
            Claim(provider, subject, nonce, audience, flaws), Json.Default.Claims);
        var content = $"{Base64Url.EncodeToString(header)}.{Base64Url.EncodeToString(claims)}";
        var bytes = Encoding.ASCII.GetBytes(content);
        var signature = algorithm switch
        {
            "none" => [],
            "HS256" => key.SignWithPublicKeyAsSecret(bytes),
            _ => key.Sign(bytes),
        };
        // Still base64url and of the right length, so that only the signature is to blame.
        if (flaws.Contains(Flaw.Tampered)) signature[0] ^= 1;
        return $"{content}.{Base64Url.EncodeToString(signature)}";
    }

    private Claims Claim(
        Provider provider, string subject, string nonce, string audience, IReadOnlySet<Flaw> flaws)
    {
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        var issuedAt = flaws.Contains(Flaw.Expired) ? now - (2 * LifetimeSeconds)
            : flaws.Contains(Flaw.NotYetValid) ? now + LifetimeSeconds
            : now;
        var issuer = flaws.Contains(Flaw.WrongIssuer) ? "https://issuer.example" : $"{address.Base}/{provider.Name}";
        var recipient = flaws.Contains(Flaw.WrongAudience) ? "somebody-else" : audience;
        var claims = new Claims
        {
            Issuer = flaws.Contains(Flaw.IssuerWithoutScheme) ? issuer.Split("://", 2)[1] : issuer,
            Audience = recipient,
            Subject = flaws.Contains(Flaw.NoSubject) ? null : subject,
            Nonce = flaws.Contains(Flaw.NoNonce) ? null : flaws.Contains(Flaw.WrongNonce) ? nonce + "x" : nonce,
            IssuedAt = issuedAt,
            NotBefore = flaws.Contains(Flaw.NotYetValid) ? issuedAt : null,
            ExpiresAt = flaws.Contains(Flaw.NoExpiry) ? null : issuedAt + LifetimeSeconds,
            Email = $"{subject}@sandbox.example",
        };
        return provider.Name switch
        {
            "google" => claims with
            {
                AuthorizedParty = flaws.Contains(Flaw.WrongAuthorizedParty) ? "somebody-else" : recipient,
                EmailVerified = true,
            },
            "apple" => claims with { EmailVerified = "true", NonceSupported = true, RealUserStatus = 2 },
            _ => claims with { Id = Guid.NewGuid().ToString("N") },
        };
    }
}
