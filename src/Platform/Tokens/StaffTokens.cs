using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Staff's tokens: JWT, ES256, <c>typ</c> <c>staff+jwt</c>, of a key and an audience of their own.</summary>
public sealed class StaffTokens(
    KeyRing keys, IOptions<TokenOptions> options, IEnumerable<StaffAdmission> admissions, TimeProvider clock)
{
    internal const string SigningPurpose = "staff-tokens";

    private const string Type = "staff+jwt";

    private readonly Lazy<SignedTokens> _reader = new(() =>
        new(keys, options.Value, clock, SigningPurpose, "ES256", Type, options.Value.StaffAudience));

    /// <summary>Signs a token.</summary>
    /// <param name="subject">Names the account, or how else the token came to be.</param>
    /// <param name="role">One of <see cref="StaffRole"/>.</param>
    /// <param name="lifetime">How long it is taken.</param>
    public string Issue(string subject, string role, TimeSpan lifetime)
    {
        if (!StaffRole.All.Contains(role)) throw new ArgumentException($"There is no staff role {role}.", nameof(role));

        var now = clock.GetUtcNow();
        return Jws.Sign(keys.Current(SigningPurpose), Type, json =>
        {
            json.WriteString("iss", options.Value.Issuer);
            json.WriteString("aud", options.Value.StaffAudience);
            json.WriteString("sub", subject);
            json.WriteString("role", role);
            json.WriteString("jti", Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)));
            json.WriteNumber("iat", now.ToUnixTimeSeconds());
            json.WriteNumber("exp", (now + lifetime).ToUnixTimeSeconds());
        });
    }

    /// <returns>Who the token names, or null when it is not a valid staff token of ours.</returns>
    internal async ValueTask<StaffCaller?> ReadAsync(string token)
    {
        if (await _reader.Value.ReadAsync(token) is not { } read
            || !read.TryGetPayloadValue<string>("sub", out var subject) || string.IsNullOrEmpty(subject)
            || !read.TryGetPayloadValue<string>("role", out var role) || !StaffRole.All.Contains(role)) return null;
        var caller = new StaffCaller(subject, role);
        return admissions.All(admits => admits(caller)) ? caller : null;
    }
}

/// <summary>
/// Whether somebody with a valid staff token is let in. Modules register any number; each must say yes, at every
/// request, so it answers at once and from memory.
/// </summary>
public delegate bool StaffAdmission(StaffCaller caller);
