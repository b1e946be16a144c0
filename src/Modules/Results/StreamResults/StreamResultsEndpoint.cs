using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Platform;

namespace Results;

internal static class StreamResultsEndpoint
{
    public static void MapStreamResults(this IEndpointRouteBuilder endpoints)
    {
        var stream = endpoints.ServiceProvider.GetRequiredService<StreamResults>();
        // Asked for here, once: each stream would hold a scope of services for as long as it lasts.
        Delegate handler = (HttpContext context) => StreamAsync(context, stream);
        endpoints.MapGet("/v1/surveys/{id}/results/stream", handler)
            .OnListener(Listener.Public)
            .AllowAnonymous()
            .Produces(200, contentType: "text/event-stream")
            .WithName("StreamResults")
            .WithSummary("A survey's results, live, as server-sent events.");
    }

    // Accept is not looked at: there is one form, and who asks for another by mistake can still read it.
    private static Task StreamAsync(HttpContext context, StreamResults stream) =>
        JsonBody.TryParseId((string?)context.Request.RouteValues["id"], out var surveyId)
            ? stream.HandleAsync(surveyId, Known(context.Request), context)
            : StreamProblems.NoSuchSurveyAsync(context);

    // A version of no kind of ours is as good as none: the reader gets the current state.
    private static long Known(HttpRequest request)
    {
        var id = request.Headers["Last-Event-ID"];
        return long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : -1;
    }
}

internal static class StreamProblems
{
    public static Task NoSuchSurveyAsync(HttpContext context) =>
        Problem.NotFound.WriteAsync(context, "There is no such survey.");

    public static Task OverloadedAsync(HttpContext context)
    {
        // Long enough that a crowd that was turned away does not come back as one.
        context.Response.Headers.RetryAfter = "5";
        return Problem.Overloaded.WriteAsync(context, "Too many streams are open here; try again a little later.");
    }
}
