using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Platform;

/// <summary>Reads request bodies strictly: what the contract does not name is refused.</summary>
public static class JsonBody
{
    /// <summary>Largest body unless an endpoint says otherwise.</summary>
    public const int SizeBytesMax = 64 * 1024;

    /// <summary>
    /// Deepest nesting that any request needs, and then some: say it in the source-generated context.
    /// </summary>
    public const int DepthMax = 16;

    private const int PathLengthMax = 200;

    /// <summary>Reads the whole body as one JSON value.</summary>
    /// <exception cref="MalformedRequestException">It is not what <paramref name="type"/>
    /// says; becomes a 400 or 415.</exception>
    /// <exception cref="BadHttpRequestException">Too large (413) or broken off.</exception>
    public static async ValueTask<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        if (!IsPlainJson(context.Request))
        {
            throw new MalformedRequestException(
                Problem.UnsupportedMediaType, "Send application/json in UTF-8, not compressed.");
        }

        try
        {
            return await DeserializeAsync(context, type)
                ?? throw new MalformedRequestException(Problem.MalformedRequest, "The body is null.");
        }
        catch (JsonException e)
        {
            var path = MemberPath(e.Path);
            throw new MalformedRequestException(
                Problem.MalformedRequest, "The body is not the JSON that is asked for here.",
                path.Length == 0 ? null : new Dictionary<string, string[]> { [path] = [Reason(e)] });
        }
    }

    // Straight from the server's buffers, where it is known beforehand that the whole body fits.
    private static ValueTask<T?> DeserializeAsync<T>(HttpContext context, JsonTypeInfo<T> type) =>
        context.Request.ContentLength is <= SizeBytesMax
            ? JsonSerializer.DeserializeAsync(context.Request.BodyReader, type, context.RequestAborted)
            : JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted);

    private static bool IsPlainJson(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.Count != 0) return false;
        // Nearly everybody writes it so, and then there is nothing to parse.
        return request.ContentType is "application/json"
            || (request.HasJsonContentType()
                && (MediaTypeHeaderValue.Parse(request.ContentType).Charset.Value?.Trim('"') ?? "utf-8")
                    .Equals("utf-8", StringComparison.OrdinalIgnoreCase));
    }

    /// <returns><c>$.questions[0].text</c> as the contract writes it: <c>questions[0].text</c>.</returns>
    /// <remarks>
    /// The end of a long one is left out: a name that the caller made up would come back whole, or escaped and larger.
    /// </remarks>
    private static string MemberPath(string? path)
    {
        var member = (path ?? "$").TrimStart('$').TrimStart('.');
        return member.Length <= PathLengthMax ? member : $"{member[..PathLengthMax]}…";
    }

    // The serializer's own words name our types; only what the caller can act on goes out.
    private static string Reason(JsonException e) => e.Message switch
    {
        var said when said.Contains("could not be mapped", StringComparison.Ordinal) => "There is no such member.",
        var said when said.Contains("missing required", StringComparison.Ordinal) => "A required member is missing.",
        var said when said.Contains("uplicate", StringComparison.Ordinal) => "The member is there twice.",
        var said when said.Contains("could not be converted", StringComparison.Ordinal) =>
            "The value is of the wrong type.",
        _ => "This is not valid JSON.",
    };

    /// <summary>Reads an id of our own, a decimal string without sign or leading zero, from 1 to 999,999,999.</summary>
    public static bool TryParseId(string? text, out int id)
    {
        id = 0;
        return text is { Length: > 0 and <= 9 } && text[0] != '0'
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);
    }

    /// <inheritdoc cref="TryParseId(string, out int)"/>
    public static bool TryParseId(ReadOnlySpan<byte> text, out int id)
    {
        id = 0;
        return text is { Length: > 0 and <= 9 } && text[0] != '0'
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);
    }
}

/// <summary>
/// A request that cannot be understood. Becomes a problem document wherever it is thrown in a request.
/// </summary>
public sealed class MalformedRequestException(
    Problem problem, string detail, IReadOnlyDictionary<string, string[]>? errors = null) : Exception(detail)
{
    /// <summary>What kind of refusal.</summary>
    public Problem Problem { get; } = problem;

    /// <summary>Messages by member path, or null.</summary>
    public IReadOnlyDictionary<string, string[]>? Errors { get; } = errors;
}
