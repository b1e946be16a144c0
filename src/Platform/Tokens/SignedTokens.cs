using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Platform;

/// <summary>Checks tokens of one kind that we signed: nothing is fetched and nothing looked up.</summary>
internal sealed class SignedTokens(
    KeyRing keys, TokenOptions options, TimeProvider clock,
    string purpose, string algorithm, string type, string audience)
{
    private const int SizeBytesMax = 8 * 1024;

    private readonly JsonWebTokenHandler _handler =
        new() { MaximumTokenSizeInBytes = SizeBytesMax, MapInboundClaims = false };

    private readonly TokenValidationParameters _rules = new()
    {
        ValidAlgorithms = [algorithm],
        ValidTypes = [type],
        ValidIssuer = options.Issuer,
        ValidAudience = audience,
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        // One key or none: a token never has keys tried on it.
        TryAllIssuerSigningKeys = false,
        IssuerSigningKeyResolver = (_, _, keyId, _) =>
            keys.All(purpose).FirstOrDefault(key => key.KeyId == keyId) is { } key ? [key.Verifier] : [],
        LifetimeValidator = (notBefore, expires, _, _) => IsNow(notBefore, expires, options.ClockSkew, clock),
        LogValidationExceptions = false,
    };

    /// <returns>The token, or null when it is not a valid one of this kind.</returns>
    public async ValueTask<JsonWebToken?> ReadAsync(string token)
    {
        if (token.Length > SizeBytesMax) return null;

        var result = await _handler.ValidateTokenAsync(token, _rules);
        if (!result.IsValid || result.SecurityToken is not JsonWebToken read) return null;
        // We never ask a reader to understand more than the header's plain members.
        return read.TryGetHeaderValue<object>("crit", out _) ? null : read;
    }

    private static bool IsNow(DateTime? notBefore, DateTime? expires, TimeSpan skew, TimeProvider clock)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return expires is { } end && now < end + skew && (notBefore is not { } start || start - skew <= now);
    }
}
