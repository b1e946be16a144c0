using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Audit;

internal static class ReadStatementEndpoint
{
    public static void MapReadStatement(this IEndpointRouteBuilder endpoints)
    {
        var results = endpoints.MapGroup("/v1/audit/results").OnListener(Listener.Public).AllowAnonymous();
        results.MapGet("", ListAsync)
            .WithName("ListResultStatements")
            .WithSummary("The surveys whose final result is stated, by id.")
            .Produces<ResultPage>();
        results.MapGet("/{survey}", ReadAsync)
            .Produces(StatusCodes.Status200OK, contentType: ResultStatement.ContentType)
            .WithName("ReadResultStatement")
            .WithSummary("A survey's final result with the checkpoints that it was counted at, signed (JWS).");
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, AuditDatabase database, CancellationToken cancel)
    {
        var query = QueryReader.Of(context.Request.Query, "cursor", "limit");
        var limit = query.Limit();
        var after = query.Optional<int>(
            "cursor", "This is no cursor that was given out here.", JsonBody.TryParseId) ?? 0;
        query.RefuseFaults();

        await using var ask = database.Control.CreateCommand("""
            SELECT survey FROM audit.results WHERE survey > $1 AND version_id IS NOT NULL ORDER BY survey LIMIT $2
            """);
        ask.Parameters.Add(new() { Value = after });
        ask.Parameters.Add(new() { Value = limit + 1 });
        var found = new List<string>();
        await using var rows = await ask.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel)) found.Add(rows.GetInt32(0).ToString(CultureInfo.InvariantCulture));
        context.Response.Headers.CacheControl = "public, max-age=1, stale-while-revalidate=5";
        return TypedResults.Json(
            new ResultPage([.. found.Take(limit)], found.Count > limit ? found[limit - 1] : null),
            AuditJson.Default.ResultPage);
    }

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

/// <summary>A page of the surveys whose result is stated.</summary>
/// <param name="Items">Their ids.</param>
/// <param name="Next">Ask for the next page with it as <c>cursor</c>; null on the last.</param>
internal sealed record ResultPage(IReadOnlyList<string> Items, string? Next);
