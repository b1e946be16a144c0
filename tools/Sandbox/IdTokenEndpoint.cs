using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Sandbox;

/// <summary>One token for a person who tries the sign-in by hand.</summary>
internal static class IdTokenEndpoint
{
    private const int ParameterLengthMax = 255;

    public static void MapIdTokens(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapPost("/sandbox/{provider}/id-token", Mint);

    /// <summary>
    /// <c>subject</c> and <c>nonce</c> are made up where they are not given, <c>audience</c> is the platform's client
    /// id; <c>flaw</c>, any number of times, spoils the token.
    /// </summary>
    private static IResult Mint(string provider, HttpRequest request, Providers providers, IdTokens tokens)
    {
        if (providers.Find(provider) is not { } found) return TypedResults.NotFound();
        foreach (var (name, values) in request.Query)
        {
            if (name is not ("subject" or "nonce" or "audience" or "flaw"))
                return Refuse($"There is no parameter {name}; there are subject, nonce, audience and flaw.");
            if (name != "flaw" && values.Count != 1) return Refuse($"{name} is given more than once.");
            if (values.Any(value => value is not { Length: > 0 and <= ParameterLengthMax }))
                return Refuse($"{name} has 1 to {ParameterLengthMax} characters.");
        }

        var flaws = new HashSet<Flaw>();
        foreach (var name in request.Query["flaw"])
        {
            if (!Flaws.TryParse(name!, out var flaw))
                return Refuse($"There is no flaw {name}; there are {Flaws.Names}.");
            flaws.Add(flaw);
        }

        var subject = request.Query["subject"].FirstOrDefault() ?? found.NewSubject();
        var nonce = request.Query["nonce"].FirstOrDefault() ?? RandomNumberGenerator.GetHexString(32, lowercase: true);
        var audience = request.Query["audience"].FirstOrDefault() ?? IdTokens.Audience;
        return TypedResults.Ok(
            new MintedToken(found.Name, subject, nonce, tokens.Mint(found, subject, nonce, audience, flaws)));
    }

    private static ProblemHttpResult Refuse(string why) => TypedResults.Problem(why, statusCode: 400);
}
