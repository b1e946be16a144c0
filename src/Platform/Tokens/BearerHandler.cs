using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;

namespace Platform;

/// <summary>
/// Reads <c>Authorization: Bearer</c>, and answers 401 and 403. Made anew for each request. The framework's own
/// base class is left out: it costs options, events and log scopes on the path of every vote.
/// </summary>
internal abstract class BearerHandler : IAuthenticationHandler
{
    private const string Prefix = "Bearer ";

    private AuthenticateResult? _result;

    protected HttpContext Context { get; private set; } = null!;

    protected string Scheme { get; private set; } = "";

    public Task InitializeAsync(AuthenticationScheme scheme, HttpContext context)
    {
        (Scheme, Context) = (scheme.Name, context);
        return Task.CompletedTask;
    }

    public async Task<AuthenticateResult> AuthenticateAsync() => _result ??= await ReadHeaderAsync();

    public async Task ChallengeAsync(AuthenticationProperties? properties)
    {
        // RFC 6750: who sent no token is told no error, only what to send.
        var none = (await AuthenticateAsync()).None;
        Context.Response.Headers.CacheControl = "no-store";
        Context.Response.Headers.WWWAuthenticate = none ? "Bearer" : "Bearer error=\"invalid_token\"";
        await Problem.Unauthenticated.WriteAsync(
            Context, none ? "Send an access token." : "The access token is not valid here, or not any more.");
    }

    public Task ForbidAsync(AuthenticationProperties? properties) =>
        Problem.Forbidden.WriteAsync(Context, "The token is good, but not for this.");

    /// <returns>The principal that the token stands for, or null when it is not valid.</returns>
    protected abstract ValueTask<ClaimsPrincipal?> ReadAsync(string token);

    private async Task<AuthenticateResult> ReadHeaderAsync()
    {
        var header = Context.Request.Headers.Authorization;
        if (header.Count == 0) return AuthenticateResult.NoResult();
        if (header.Count > 1) return AuthenticateResult.Fail("There are two of them.");

        var text = header[0] ?? "";
        if (!text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
        {
            return text.Trim().Equals("Bearer", StringComparison.OrdinalIgnoreCase)
                ? AuthenticateResult.Fail("The token is empty.")
                : AuthenticateResult.NoResult();
        }

        return await ReadAsync(text[Prefix.Length..].Trim()) is { } principal
            ? AuthenticateResult.Success(new(principal, Scheme))
            : AuthenticateResult.Fail("The token is not valid.");
    }
}

/// <summary>The scheme of voters.</summary>
internal sealed class VoterBearer(VoterTokens tokens, RevokedTokens revoked) : BearerHandler
{
    // Who it is stands in the request's VoterCaller; the framework only needs to know that somebody is there.
    private static readonly ClaimsPrincipal Somebody = new(new ClaimsIdentity(Access.Voter));

    protected override ValueTask<ClaimsPrincipal?> ReadAsync(string token)
    {
        if (tokens.Read(token) is not { } caller || revoked.Bars(caller)) return new((ClaimsPrincipal?)null);
        Context.Features.Set(caller);
        return new(Somebody);
    }
}

/// <summary>The scheme of staff.</summary>
internal sealed class StaffBearer(StaffTokens tokens) : BearerHandler
{
    private static readonly Dictionary<string, ClaimsPrincipal> ByRole = StaffRole.All.ToDictionary(
        role => role,
        role => new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Role, role)], Access.StaffScheme)));

    protected override async ValueTask<ClaimsPrincipal?> ReadAsync(string token)
    {
        if (await tokens.ReadAsync(token) is not { } caller) return null;
        Context.Features.Set(caller);
        return ByRole[caller.Role];
    }
}
