using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>The outermost part of every request: its id, and a problem document for whatever ends it badly.</summary>
internal sealed partial class RequestFailures(RequestDelegate next, ILogger<RequestFailures> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.Headers["X-Request-Id"] = Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;
        // Whatever a token brings is its bearer's alone: answers and refusals, from here inwards. Only what is public,
        // and the same for all, says something else later.
        if (context.Request.Headers.Authorization.Count > 0) context.Response.Headers.CacheControl = "no-store";
        // The server leaves the body out whatever is written; all else is as for GET.
        if (HttpMethods.IsHead(context.Request.Method)) context.Request.Method = HttpMethods.Get;
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null })
                await AnswerBareStatusAsync(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to be answered.
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, e);
        }
    }

    private static Task AnswerBareStatusAsync(HttpContext context)
    {
        var problem = Problem.OfStatus(context.Response.StatusCode);
        return problem.WriteAsync(context, problem.Status switch
        {
            404 => "Nothing is at this address.",
            405 => $"{context.Request.Method} is not for this address.",
            _ => $"{problem.Title}.",
        });
    }

    private Task AnswerAsync(HttpContext context, Exception failure)
    {
        // A part of the answer may have been prepared for caches before it failed.
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.Remove("ETag");
        switch (failure)
        {
            case MalformedRequestException malformed:
                return malformed.Problem.WriteAsync(context, malformed.Message, malformed.Errors);
            case BadHttpRequestException { StatusCode: 413 }:
                // What is left of the body is not read: the connection cannot serve another request.
                context.Response.Headers.Connection = "close";
                return Problem.PayloadTooLarge.WriteAsync(context, "The body is larger than this address takes.");
            case BadHttpRequestException bad:
                return Problem.OfStatus(bad.StatusCode).WriteAsync(context, "The request broke off or is malformed.");
            // Data, constraint, statement: sent again it would fail again, for the fault is ours and not the server's.
            case PostgresException { SqlState: ['2', '2' or '3', ..] or ['4', '2', ..] }:
                goto default;
            case NpgsqlException or TimeoutException or AppendFailedException
                when HttpMethods.IsGet(context.Request.Method):
                Unavailable(logger, failure, context.Request.Path);
                return Problem.Overloaded.WriteAsync(context, "A part of the platform does not answer; try again.");
            case NpgsqlException or TimeoutException or AppendFailedException:
                Unavailable(logger, failure, context.Request.Path);
                return Problem.OutcomeUnknown.WriteAsync(
                    context, "A part of the platform does not answer; send it again.");
            default:
                Failed(logger, failure, context.Request.Path);
                return Problem.InternalError.WriteAsync(context, "The fault is ours and has been recorded.");
        }
    }

    [LoggerMessage(LogLevel.Error, "A request to {Path} failed")]
    private static partial void Failed(ILogger logger, Exception failure, string path);

    [LoggerMessage(LogLevel.Warning, "A request to {Path} found a part of the platform unavailable")]
    private static partial void Unavailable(ILogger logger, Exception failure, string path);
}
