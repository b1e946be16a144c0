using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Audit;

internal static class ReadStatementEndpoint
{
    public static void MapReadStatement(this IEndpointRouteBuilder endpoints) => endpoints
        .MapGet("/v1/audit/results/{survey}", ReadAsync)
        .OnListener(Listener.Public)
        .AllowAnonymous()
        .Produces(StatusCodes.Status200OK, contentType: ResultStatement.ContentType)
        .WithName("ReadResultStatement")
        .WithSummary("A survey's final result with the checkpoints that it was counted at, signed (flattened JWS).");

    private static async Task<IResult> ReadAsync(
        string survey, HttpContext context, AuditDatabase database, CancellationToken cancel)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!JsonBody.TryParseId(survey, out var id)) return NoStatement();
        await using var query = database.Control.CreateCommand(
            "SELECT statement FROM audit.results WHERE survey = $1 AND version_id IS NOT NULL");
        query.Parameters.Add(new() { Value = id });
        if (await query.ExecuteScalarAsync(cancel) is not byte[] statement) return NoStatement();
        // It never changes.
        context.Response.Headers.CacheControl = "public, max-age=3600";
        return TypedResults.Bytes(statement, ResultStatement.ContentType);
    }

    private static ProblemHttpResult NoStatement() => Problem.NotFound.Because(
        "There is no statement of such a survey: none before its result is final and archived.");
}
