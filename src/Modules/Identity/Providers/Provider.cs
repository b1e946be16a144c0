using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Identity;

/// <summary>What a valid ID token says.</summary>
/// <param name="Subject">Who it is among the provider's users.</param>
/// <param name="Digest">32 bytes that no other token has, however the same one is written.</param>
/// <param name="ExpiresAt">From then on no process takes it, as far as their clocks agree.</param>
internal sealed record ProvenLogin(string Subject, byte[] Digest, DateTimeOffset ExpiresAt);

/// <summary>An outside provider whose ID tokens are taken. Safe for use by many threads.</summary>
internal sealed class Provider(
    string name, IReadOnlyList<string> issuers, IReadOnlyList<string> clientIds, ProviderKeys keys, TimeProvider clock)
    : IDisposable
{
    private const int TokenSizeBytesMax = 16 * 1024;

    // Clocks of phones play no part: both times are the provider's, so only its clock and ours can differ.
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(1);

    private readonly JsonWebTokenHandler _handler =
        new() { MaximumTokenSizeInBytes = TokenSizeBytesMax, MapInboundClaims = false };

    /// <summary>As it stands in addresses: lower case.</summary>
    public string Name => name;

    /// <summary>Checks an ID token, and that it was made for this sign-in.</summary>
    /// <param name="idToken">As the app got it from the provider.</param>
    /// <param name="nonce">What the app asked the provider to put into it.</param>
    /// <param name="cancel">Ends the wait for the provider's keys.</param>
    /// <returns>What it says, used before or not; null when the token is not valid here.</returns>
    /// <exception cref="ProviderUnavailableException">The keys that would tell cannot be had now.</exception>
    public async ValueTask<ProvenLogin?> CheckAsync(string idToken, string nonce, CancellationToken cancel)
    {
        if (idToken.Length > TokenSizeBytesMax) return null;

        var known = await keys.GetAsync(cancel);
        var namesUnknownKey = false;
        var result = await _handler.ValidateTokenAsync(idToken, Rules(known, () => namesUnknownKey = true));
        if (namesUnknownKey)
        {
            // Perhaps the provider has begun to sign with a new key.
            var renewed = await keys.RenewAsync(known, cancel);
            if (ReferenceEquals(renewed, known)) return null;
            result = await _handler.ValidateTokenAsync(idToken, Rules(renewed, () => { }));
        }

        return result is { IsValid: true, SecurityToken: JsonWebToken token } && IsForUs(token, nonce)
            ? new(token.Subject, Digest(token), ExpiryOf(token))
            : null;
    }

    public void Dispose() => keys.Dispose();

    private bool IsForUs(JsonWebToken token, string nonce)
    {
        // Every audience must be one of ours: with a stranger among them it was not made for us alone.
        if (token.Audiences.Any(audience => !clientIds.Contains(audience))) return false;
        if (token.TryGetPayloadValue<object>("azp", out _) && !clientIds.Contains(token.Azp)) return false;
        if (token.TryGetHeaderValue<object>("crit", out _)) return false;
        if (!token.TryGetPayloadValue<long>("iat", out var issuedAt)) return false;
        if (issuedAt > (clock.GetUtcNow() + ClockSkew).ToUnixTimeSeconds()) return false;
        return token.TryGetPayloadValue<string>("nonce", out var said)
            && string.Equals(said, nonce, StringComparison.Ordinal)
            && token.Subject is { Length: > 0 and <= 255 };
    }

    // Of what is signed: the signature's last letter has bits that nobody looks at, and would make many tokens of one.
    private static byte[] Digest(JsonWebToken token) =>
        SHA256.HashData(Encoding.ASCII.GetBytes($"{token.EncodedHeader}.{token.EncodedPayload}"));

    private static DateTimeOffset ExpiryOf(JsonWebToken token) =>
        new DateTimeOffset(Math.Min(token.ValidTo.Ticks, (DateTime.MaxValue - ClockSkew).Ticks), TimeSpan.Zero)
        + ClockSkew;

    private TokenValidationParameters Rules(FrozenDictionary<string, SecurityKey> known, Action unknownKey) => new()
    {
        ValidAlgorithms = ["RS256"],
        ValidIssuers = issuers,
        ValidAudiences = clientIds,
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        TryAllIssuerSigningKeys = false,
        IssuerSigningKeyResolver = (_, _, keyId, _) =>
        {
            if (string.IsNullOrEmpty(keyId)) return [];
            if (known.TryGetValue(keyId, out var key)) return [key];
            unknownKey();
            return [];
        },
        LifetimeValidator = (notBefore, expires, _, _) =>
        {
            var now = clock.GetUtcNow().UtcDateTime;
            return expires is { } end && now < end + ClockSkew
                && (notBefore is not { } start || start - ClockSkew <= now);
        },
        LogValidationExceptions = false,
    };
}

/// <summary>The providers that are switched on.</summary>
internal sealed class Providers(IOptions<IdentityOptions> options, ProviderHttp http, TimeProvider clock) : IDisposable
{
    private readonly Lazy<Dictionary<string, Provider>> _byName = new(() => options.Value.Providers.All()
        .Where(provider => provider.Options.ClientIds.Length > 0)
        .Select(provider => Build(provider.Name, provider.Options, http, clock))
        .ToDictionary(provider => provider.Name));

    /// <returns>The provider of that name in an address, or null when there is none or it is off.</returns>
    public Provider? Find(string name) => _byName.Value.GetValueOrDefault(name);

    public void Dispose()
    {
        if (!_byName.IsValueCreated) return;
        foreach (var provider in _byName.Value.Values) provider.Dispose();
    }

    private static Provider Build(string name, ProviderOptions options, ProviderHttp http, TimeProvider clock)
    {
        var own = Own(name);
        var authority = options.Authority.Length > 0 ? options.Authority.TrimEnd('/') : own.Authority;
        string[] issuers = options switch
        {
            { Issuers.Length: > 0 } => options.Issuers,
            // Google also spells itself without the scheme.
            { Authority.Length: > 0 } when name == nameof(ProviderSet.Google) =>
                [authority, authority.Split("://", 2)[1]],
            { Authority.Length: > 0 } => [authority],
            _ => own.Issuers,
        };
        var jwks = options switch
        {
            { JwksAddress.Length: > 0 } => options.JwksAddress,
            { Authority.Length: > 0 } => null,
            _ => own.JwksAddress,
        };
        var keys = new ProviderKeys(http, name, authority, jwks, issuers, clock);
        return new(name.ToLowerInvariant(), issuers, options.ClientIds, keys, clock);
    }

    private static (string Authority, string? JwksAddress, string[] Issuers) Own(string name) => name switch
    {
        nameof(ProviderSet.Google) => (
            "https://accounts.google.com", null, ["https://accounts.google.com", "accounts.google.com"]),
        nameof(ProviderSet.Apple) => ("https://appleid.apple.com", null, ["https://appleid.apple.com"]),
        _ => (
            "https://limited.facebook.com", "https://limited.facebook.com/.well-known/oauth/openid/jwks/",
            ["https://www.facebook.com"]),
    };
}
