using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Identity;

internal static class EndSessionEndpoints
{
    public static void MapEndSession(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/v1/auth/logout", LogOutAsync)
            .OnListener(Listener.Public)
            .RequireAuthorization(Access.Voter)
            .WithName("LogOut")
            .WithSummary("End this session, or with all=true every session of the voter.")
            .Produces(204).ProducesProblem(400).ProducesProblem(401);
        endpoints.MapDelete("/v1/auth/sessions/{id}", DeleteAsync)
            .OnListener(Listener.Public)
            .RequireAuthorization(Access.Voter)
            .WithName("EndSession")
            .WithSummary("End one of the voter's sessions. Repeating the call is harmless.")
            .Produces(204).ProducesProblem(401).ProducesProblem(404);
    }

    private static async Task<NoContent> LogOutAsync(
        HttpContext context, EndSession end, CancellationToken cancel)
    {
        var caller = context.Voter();
        if (All(context.Request.Query["all"])) await end.EndAllAsync(caller.VoterId, cancel);
        else await end.EndAsync(caller.VoterId, caller.SessionId, cancel);
        return TypedResults.NoContent();
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        string id, HttpContext context, EndSession end, CancellationToken cancel)
    {
        var sessionId = new byte[16];
        return Base64Id.TryDecode(id, sessionId) && await end.EndAsync(context.Voter().VoterId, sessionId, cancel)
            ? TypedResults.NoContent()
            : Problem.NotFound.Because("You have no such session.");
    }

    private static bool All(Microsoft.Extensions.Primitives.StringValues said) => said.ToString() switch
    {
        "" or "false" => false,
        "true" => true,
        _ => throw new MalformedRequestException(
            Problem.MalformedRequest, "all is true or false.",
            new Dictionary<string, string[]> { ["all"] = ["It must be true or false."] }),
    };
}
