using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Identity;

internal static class SignInEndpoint
{
    public static void MapSignIn(this IEndpointRouteBuilder endpoints) => endpoints
        .MapPost("/v1/auth/{provider}/token", SignInAsync)
        .OnListener(Listener.Public)
        .AllowAnonymous()
        .WithName("SignIn")
        .WithSummary("Sign in with a provider's ID token. Each token signs in once.")
        .Accepts<SignInRequest>("application/json")
        .Produces<TokenResponse>()
        .ProducesProblem(400).ProducesProblem(401).ProducesProblem(404).ProducesProblem(503);

    private static async Task<Results<JsonHttpResult<TokenResponse>, ProblemHttpResult>> SignInAsync(
        string provider, HttpContext context, Providers providers, SignIn signIn, SessionTokens tokens,
        CancellationToken cancel)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (providers.Find(provider) is not { } found)
            return Problem.NotFound.Because("Nobody signs in by that provider here.");

        var request = await JsonBody.ReadAsync(context, IdentityJson.Default.SignInRequest);
        request.Check();
        ProvenLogin? login;
        try
        {
            login = await found.CheckAsync(request.IdToken!, request.Nonce!, cancel);
        }
        catch (ProviderUnavailableException)
        {
            return Problem.ProviderUnavailable.Because("The provider's keys cannot be fetched now; try again.");
        }

        if (login is null) return Refuse(context, "The ID token is not valid for this sign-in.");
        return await signIn.OpenSessionAsync(found.Name, login, request.DeviceId, cancel) is { } session
            ? TypedResults.Json(tokens.Issue(session, request.Nonce), IdentityJson.Default.TokenResponse)
            : Refuse(context, "The ID token was used before. Sign in at the provider again.");
    }

    private static ProblemHttpResult Refuse(HttpContext context, string detail)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        return Problem.Unauthenticated.Because(detail);
    }
}
