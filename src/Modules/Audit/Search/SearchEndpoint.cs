using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Audit;

/// <summary>Archived events in the hands of auditors.</summary>
internal static class SearchEndpoint
{
    public static void MapSearchEvents(this IEndpointRouteBuilder endpoints)
    {
        var events = endpoints.MapGroup("/v1/internal/audit/events")
            .OnListener(Listener.Internal)
            .RequireAuthorization(Access.Staff(StaffRole.Auditor));
        events.MapGet("", ListAsync).WithName("SearchEvents")
            .WithSummary("Archived events by vote, voter key, survey, type, actor and time; the newest first.")
            .Produces<EventPage>();
        events.MapGet("/export", ExportAsync).WithName("ExportEvents")
            .WithSummary("The same events as a file, the oldest first: NDJSON or CSV, with their bytes if wished.")
            .Produces(
                StatusCodes.Status200OK, contentType: ExportEvents.NdjsonType, additionalContentTypes: "text/csv");
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, SearchEvents events, TellSearches told, CancellationToken cancel)
    {
        var query = QueryReader.Of(context.Request.Query, [.. EventFilter.Names, "cursor", "limit"]);
        var filter = EventFilter.Of(query);
        var limit = query.Limit();
        var after = query.Cursor<EventPlace>(EventPlace.TryRead);
        query.RefuseFaults();

        await told.SearchedAsync(context.Staff(), filter, after is null, cancel);
        var found = await events.ReadAsync(filter, after, newestFirst: true, limit + 1, cancel);
        var next = found.Count > limit ? EventPlace.Of(found[limit - 1]).Write() : null;
        return TypedResults.Json(
            new EventPage([.. found.Take(limit).Select(EventView.Of)], next), AuditJson.Default.EventPage);
    }

    private static async Task<IResult> ExportAsync(HttpContext context, ExportEvents export, TellSearches told)
    {
        var query = QueryReader.Of(context.Request.Query, [.. EventFilter.Names, "format", "events"]);
        var filter = EventFilter.Of(query);
        var format = query.Optional("format", "This is ndjson or csv.", static (string text, out ExportFormat value) =>
        {
            value = text is "csv" ? ExportFormat.Csv : ExportFormat.Ndjson;
            return text is "csv" or "ndjson";
        });
        var withEvents = query.Optional("events", "This is true or false.", static (string text, out bool value) =>
        {
            value = text is "true";
            return text is "true" or "false";
        });
        query.RefuseFaults();
        await told.ExportedAsync(context.Staff(), filter, withEvents ?? false, context.RequestAborted);
        return await export.WriteAsync(filter, format ?? ExportFormat.Ndjson, withEvents ?? false, context)
            ? TypedResults.Empty
            : Problem.Overloaded.Because("As many exports as may run at once are running.");
    }
}
