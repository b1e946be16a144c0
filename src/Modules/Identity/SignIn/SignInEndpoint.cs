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
        .WithSummary("Sign in with a provider's ID token.")
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
        string? subject;
        try
        {
            subject = await found.SubjectAsync(request.IdToken!, request.Nonce!, cancel);
        }
        catch (ProviderUnavailableException)
        {
            return Problem.ProviderUnavailable.Because("The provider's keys cannot be fetched now; try again.");
        }

        if (subject is null)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
            return Problem.Unauthenticated.Because("The ID token is not valid for this sign-in.");
        }

        var session = await signIn.OpenSessionAsync(found.Name, subject, request.DeviceId, cancel);
        return TypedResults.Json(tokens.Issue(session, request.Nonce), IdentityJson.Default.TokenResponse);
    }
}
