using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace Backoffice;

/// <summary>
/// Tells the log of what members of staff were refused: orders against their role, a survey's state or its rules. What
/// they did is told by the module that did it.
/// </summary>
/// <remarks>Told after the answer, which never waits for the database to come back.</remarks>
internal sealed partial class TellRefusals(
    BackofficeDatabase database, EventStamps stamps, ILogger<TellRefusals> logger) : IStartupFilter
{
    private const string SurveyRoute = "/v1/internal/surveys/{id}";

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(InvokeAsync);
        next(app);
    };

    /// <returns>Whether it matters that somebody asked for this: typing errors and what is not there do not.</returns>
    internal static bool Matters(string method, int status) => status switch
    {
        StatusCodes.Status403Forbidden => true,
        StatusCodes.Status409Conflict or StatusCodes.Status422UnprocessableEntity => !HttpMethods.IsGet(method),
        _ => false,
    };

    /// <returns>The event; it names no more of the address than its form, and a survey where there is one.</returns>
    internal static OutboxEvent Refused(EventStamp stamp, string method, string route, string? survey, int status) =>
        StaffEvents.Refused(
            stamp, method, route,
            // What other addresses hold may be somebody's id.
            route.StartsWith(SurveyRoute, StringComparison.Ordinal) && JsonBody.TryParseId(survey, out _)
                ? survey
                : null, status);

    private async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        if (!Matters(context.Request.Method, context.Response.StatusCode)
            || context.Features.Get<StaffCaller>() is not { } caller
            || context.GetEndpoint() is not RouteEndpoint { RoutePattern.RawText: { } route })
        {
            return;
        }

        try
        {
            var refused = Refused(
                stamps.New(EventActor.Of(caller)), context.Request.Method, route,
                context.GetRouteValue("id") as string, context.Response.StatusCode);
            await WriteAsync(refused);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            NotTold(logger, e, caller.Subject, context.Request.Method, route);
        }
    }

    private async Task WriteAsync(OutboxEvent refused)
    {
        // The caller may be gone by now, which changes nothing about what it asked for.
        await using var connection = await database.Control.OpenConnectionAsync(CancellationToken.None);
        await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
        await transaction.WriteEventAsync(database.ControlSchema, refused, CancellationToken.None);
        await transaction.CommitAsync(CancellationToken.None);
    }

    [LoggerMessage(LogLevel.Error, "The log is not told that {Subject} was refused {Method} {Route}")]
    private static partial void NotTold(
        ILogger logger, Exception failure, string subject, string method, string route);
}
