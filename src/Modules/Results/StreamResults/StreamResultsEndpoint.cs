using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Results;

internal static class StreamResultsEndpoint
{
    public static void MapStreamResults(this IEndpointRouteBuilder endpoints) => endpoints
        .MapGet("/v1/surveys/{id}/results/stream", StreamAsync)
        .OnListener(Listener.Public)
        .AllowAnonymous()
        .Lasting()
        .Produces(200, contentType: "text/event-stream")
        .WithName("StreamResults")
        .WithSummary("A survey's results, live, as server-sent events.");

    // Accept is not looked at: there is one form, and who asks for another by mistake can still read it.
    private static async Task<Results<EmptyHttpResult, ProblemHttpResult>> StreamAsync(
        string id, HttpContext context, StreamResults stream)
    {
        if (!JsonBody.TryParseId(id, out var surveyId)) return Problem.NotFound.Because("There is no such survey.");

        return await stream.HandleAsync(surveyId, Known(context.Request), context) switch
        {
            StreamOutcome.Streamed => TypedResults.Empty,
            StreamOutcome.NoSuchSurvey => Problem.NotFound.Because("There is no such survey."),
            StreamOutcome.Overloaded => Overloaded(context),
            var unknown => throw new UnreachableException($"No answer for {unknown}."),
        };
    }

    private static ProblemHttpResult Overloaded(HttpContext context)
    {
        // Long enough that a crowd that was turned away does not come back as one.
        context.Response.Headers.RetryAfter = "5";
        return Problem.Overloaded.Because("Too many streams are open here; try again a little later.");
    }

    // A version of no kind of ours is as good as none: the reader gets the current state.
    private static long Known(HttpRequest request)
    {
        var id = request.Headers["Last-Event-ID"];
        return long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : -1;
    }
}
