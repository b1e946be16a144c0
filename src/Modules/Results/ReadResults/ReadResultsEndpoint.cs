using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using Platform;

namespace Results;

internal static class ReadResultsEndpoint
{
    private static readonly Problem ResultsHidden = new("results-hidden", 403, "The results may not be seen yet");

    public static void MapReadResults(this IEndpointRouteBuilder endpoints) => endpoints
        .MapGet("/v1/surveys/{id}/results", ReadAsync)
        .OnListener(Listener.Public)
        .AllowAnonymous()
        .Produces(200, contentType: "application/json")
        .WithName("ReadResults")
        .WithSummary("A survey's results as they stand now.");

    public static void MapReadResultsAsStaff(this IEndpointRouteBuilder endpoints) => endpoints
        .MapGet("/v1/internal/surveys/{id}/results", ReadAsStaffAsync)
        .OnListener(Listener.Internal)
        .RequireAuthorization(Access.Staff(StaffRole.Manager, StaffRole.Investigator, StaffRole.Auditor))
        .Produces(200, contentType: "application/json")
        .WithName("ReadResultsAsStaff")
        .WithSummary("A survey's results as they stand now, hidden from the public or not.");

    private static async Task<Results<EmptyHttpResult, StatusCodeHttpResult, ProblemHttpResult>> ReadAsync(
        string id, HttpContext context, Boards boards, IOptions<ResultsOptions> options)
    {
        var (frame, refusal) = await FindAsync(id, boards, context.RequestAborted);
        if (frame is null) return refusal!;
        if (frame.Hidden) return ResultsHidden.Because("They are shown once the survey's result is final.");

        var headers = context.Response.Headers;
        headers.ETag = frame.ETag.ToString();
        headers.CacheControl = CacheControl(frame, options.Value);
        if (Has(context.Request, frame.ETag)) return TypedResults.StatusCode(StatusCodes.Status304NotModified);

        await WriteAsync(frame, context);
        return TypedResults.Empty;
    }

    private static async Task<Results<EmptyHttpResult, ProblemHttpResult>> ReadAsStaffAsync(
        string id, HttpContext context, Boards boards)
    {
        var (frame, refusal) = await FindAsync(id, boards, context.RequestAborted);
        if (frame is null) return refusal!;

        await WriteAsync(frame, context);
        return TypedResults.Empty;
    }

    private static async ValueTask<(Frame? Frame, ProblemHttpResult? Refusal)> FindAsync(
        string id, Boards boards, CancellationToken cancel)
    {
        if (!JsonBody.TryParseId(id, out var surveyId)) return (null, NoSuchSurvey());

        var (board, later) = await boards.FindAsync(surveyId, cancel);
        if (board is not null) return (board.Frame, null);
        return (null, later
            ? Problem.Overloaded.Because("The survey cannot be loaded here now; try again a little later.")
            : NoSuchSurvey());
    }

    private static ProblemHttpResult NoSuchSurvey() => Problem.NotFound.Because("There is no such survey.");

    private static async Task WriteAsync(Frame frame, HttpContext context)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = frame.Snapshot.Length;
        await context.Response.BodyWriter.WriteAsync(frame.Snapshot, context.RequestAborted);
    }

    // A stale answer while a fresh one is fetched: a cache in front asks us once, however many ask it.
    private static string CacheControl(Frame frame, ResultsOptions options)
    {
        var age = (long)(frame.Status is ResultStatus.Final ? options.FinalMaxAge : options.LiveMaxAge).TotalSeconds;
        return string.Create(CultureInfo.InvariantCulture, $"public, max-age={age}, stale-while-revalidate={age * 2}");
    }

    private static bool Has(HttpRequest request, EntityTagHeaderValue etag) =>
        EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known)
        && known.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(etag, useStrongComparison: false));
}
