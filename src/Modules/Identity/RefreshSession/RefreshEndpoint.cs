using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Identity;

/// <param name="RefreshToken">The newest one of the session.</param>
/// <param name="DeviceId">Required of a session that was opened with one.</param>
internal sealed record RefreshRequest(string RefreshToken, string? DeviceId = null)
{
    /// <exception cref="MalformedRequestException">No device has such an id.</exception>
    public void Check()
    {
        if (MemberText.Fault(DeviceId, MemberText.DeviceIdLengthMax) is not { } fault) return;
        throw new MalformedRequestException(
            Problem.MalformedRequest, "A refresh is sent as refreshToken and deviceId.",
            new Dictionary<string, string[]> { ["deviceId"] = [fault] });
    }
}

internal static class RefreshEndpoint
{
    private const string NotValid = "The refresh token is not valid here, or not any more. Sign in again.";

    public static void MapRefresh(this IEndpointRouteBuilder endpoints) => endpoints
        .MapPost("/v1/auth/refresh", RefreshAsync)
        .OnListener(Listener.Public)
        .AllowAnonymous()
        .WithName("Refresh")
        .WithSummary("Exchange a refresh token for new tokens. A token used twice ends its session.")
        .Accepts<RefreshRequest>("application/json")
        .Produces<TokenResponse>()
        .ProducesProblem(400).ProducesProblem(401);

    private static async Task<Results<JsonHttpResult<TokenResponse>, ProblemHttpResult>> RefreshAsync(
        HttpContext context, RefreshSession refresh, SessionTokens tokens, Revocations revocations,
        CancellationToken cancel)
    {
        context.Response.Headers.CacheControl = "no-store";
        var request = await JsonBody.ReadAsync(context, IdentityJson.Default.RefreshRequest);
        request.Check();
        switch (await refresh.HandleAsync(request.RefreshToken, request.DeviceId, cancel))
        {
            case RefreshOutcome.Refreshed refreshed:
                return TypedResults.Json(
                    tokens.Issue(refreshed.Session, nonce: null), IdentityJson.Default.TokenResponse);
            case RefreshOutcome.Reused reused:
                await revocations.PublishAsync([reused.SessionId], cancel);
                return Refuse(context, "The refresh token was used before; the session has ended. Sign in again.");
            case RefreshOutcome.Ended ended:
                if (revocations.Matters(ended.At)) await revocations.PublishAsync([ended.SessionId], cancel);
                return Refuse(context, NotValid);
            case RefreshOutcome.Refused:
                return Refuse(context, NotValid);
            case var unknown:
                throw new UnreachableException($"No answer for {unknown}.");
        }
    }

    private static ProblemHttpResult Refuse(HttpContext context, string detail)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        return Problem.Unauthenticated.Because(detail);
    }
}
