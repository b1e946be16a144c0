using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Platform;

/// <summary>A kind of refusal (RFC 9457): what stays the same whenever it is given.</summary>
/// <param name="Code">The last part of the type's URI, such as <c>duplicate-vote</c>; clients decide by it.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Title">One short sentence, the same at every occurrence.</param>
public sealed record Problem(string Code, int Status, string Title)
{
    /// <summary>The base of every problem type's URI.</summary>
    public const string BaseUri = "https://errors.voting/";

    // Kinds that every module gives; a module's own stand beside the slice that gives them.

    /// <summary>The request cannot be read, or a member of it is missing or wrong.</summary>
    public static readonly Problem MalformedRequest = new("malformed-request", 400, "The request is malformed");

    /// <summary>There is no token, or it is not taken.</summary>
    public static readonly Problem Unauthenticated = new("unauthenticated", 401, "The caller is not known");

    /// <summary>The caller is known and may not do this.</summary>
    public static readonly Problem Forbidden = new("forbidden", 403, "The caller may not do this");

    /// <summary>There is no such thing, or none that the caller may know of.</summary>
    public static readonly Problem NotFound = new("not-found", 404, "There is no such thing here");

    /// <summary>The address is there, but takes other methods.</summary>
    public static readonly Problem MethodNotAllowed =
        new("method-not-allowed", 405, "This method is not for this address");

    /// <summary>The body is larger than the address takes.</summary>
    public static readonly Problem PayloadTooLarge = new("payload-too-large", 413, "The request is too large");

    /// <summary>The body is not JSON.</summary>
    public static readonly Problem UnsupportedMediaType =
        new("unsupported-media-type", 415, "The request's media type is not taken here");

    /// <summary>The caller asks for more than its limit; <c>Retry-After</c> says when to go on.</summary>
    public static readonly Problem QuotaExceeded = new("quota-exceeded", 429, "Too many requests");

    /// <summary>Our fault. What it was is in the log, by the trace id.</summary>
    public static readonly Problem InternalError = new("internal-error", 500, "The platform failed");

    /// <summary>Nothing was recorded; the same request may be sent again.</summary>
    public static readonly Problem Overloaded = new("overloaded", 503, "Too much to do; nothing was recorded");

    /// <summary>It may have been recorded or not; sending it again never makes a second one.</summary>
    public static readonly Problem OutcomeUnknown =
        new("outcome-unknown", 503, "Whether it was recorded is not known; send the same request again");

    /// <summary>Somebody outside does not answer; nothing was recorded.</summary>
    public static readonly Problem ProviderUnavailable =
        new("provider-unavailable", 503, "An outside provider does not answer");

    /// <returns>The refusal with what was wrong this time.</returns>
    /// <param name="detail">For the caller's eyes: no internals, no secrets.</param>
    /// <param name="errors">Messages by the member's path, such as <c>questions[0].options[1].text</c>.</param>
    public ProblemHttpResult Because(string detail, IReadOnlyDictionary<string, string[]>? errors = null) =>
        TypedResults.Problem(Details(detail, errors));

    /// <returns>The refusal with further members.</returns>
    public ProblemHttpResult Because(string detail, params (string Name, object Value)[] members)
    {
        var details = Details(detail, null);
        foreach (var (name, value) in members) details.Extensions[name] = value;
        return TypedResults.Problem(details);
    }

    /// <summary>Writes the refusal where no endpoint is there to return it.</summary>
    public Task WriteAsync(HttpContext context, string detail, IReadOnlyDictionary<string, string[]>? errors = null) =>
        Because(detail, errors).ExecuteAsync(context);

    private ProblemDetails Details(string detail, IReadOnlyDictionary<string, string[]>? errors)
    {
        var details = new ProblemDetails { Type = BaseUri + Code, Title = Title, Status = Status, Detail = detail };
        if (errors is { Count: > 0 }) details.Extensions["errors"] = errors;
        return details;
    }

    /// <returns>The kind that fits a bare status code, as the framework sets one.</returns>
    internal static Problem OfStatus(int status) => status switch
    {
        401 => Unauthenticated,
        403 => Forbidden,
        404 => NotFound,
        405 => MethodNotAllowed,
        413 => PayloadTooLarge,
        415 => UnsupportedMediaType,
        429 => QuotaExceeded,
        503 => Overloaded,
        >= 400 and < 500 => MalformedRequest with { Status = status },
        _ => InternalError with { Status = status },
    };

    /// <summary>
    /// Adds what every problem document carries. Set as the framework's customization, so that no road misses it.
    /// </summary>
    internal static void Complete(ProblemDetailsContext context)
    {
        var details = context.ProblemDetails;
        if (details.Type is null || !details.Type.StartsWith(BaseUri, StringComparison.Ordinal))
        {
            var kind = OfStatus(details.Status ?? context.HttpContext.Response.StatusCode);
            (details.Type, details.Title) = (BaseUri + kind.Code, kind.Title);
        }

        details.Instance = context.HttpContext.Request.Path;
        details.Extensions["traceId"] = Activity.Current?.TraceId.ToString() ?? context.HttpContext.TraceIdentifier;
        if (details.Status is 503 && !context.HttpContext.Response.Headers.ContainsKey("Retry-After"))
        {
            context.HttpContext.Response.Headers.RetryAfter = "1";
        }
    }
}
