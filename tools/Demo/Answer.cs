using System.Net.Http.Headers;
using System.Text.Json;

namespace Demo;

/// <summary>What the platform answered to one request, after all waiting and sending again that it asked for.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Problem">The end of the problem's type, such as <c>duplicate-vote</c>; null if there is none.</param>
/// <param name="Body">Null when it was no JSON.</param>
/// <param name="Challenge">The header <c>WWW-Authenticate</c>, or null.</param>
/// <param name="RetryAfter">Null when the answer does not say.</param>
/// <param name="Took">Of the last attempt alone.</param>
/// <param name="Uncertain">
/// Whether an earlier attempt may have had its effect, so that this answer may be that of a repeat.
/// </param>
internal sealed record Answer(
    int Status, string? Problem, JsonElement? Body, string? Challenge, TimeSpan? RetryAfter, TimeSpan Took,
    bool Uncertain)
{
    public static Answer Of(HttpResponseMessage response, byte[] body, TimeSpan took, DateTimeOffset now)
    {
        var json = Parse(body);
        var isProblem = response.Content.Headers.ContentType?.MediaType is "application/problem+json";
        var after = response.Headers.RetryAfter;
        return new(
            (int)response.StatusCode, isProblem ? Text(json, "type")?.Split('/')[^1] : null, json,
            response.Headers.WwwAuthenticate.Count == 0 ? null : response.Headers.WwwAuthenticate.ToString(),
            after?.Delta ?? after?.Date - now, took, false);
    }

    /// <returns>A member of the body that is a string; null when there is none.</returns>
    public string? Text(string member) => Text(Body, member);

    /// <returns>Whether both bodies say the same.</returns>
    public bool SaysTheSame(Answer other) =>
        Body is { } mine && other.Body is { } theirs && JsonElement.DeepEquals(mine, theirs);

    /// <returns>Status, kind and reason in one line, for a person.</returns>
    public override string ToString() => string.Join(' ', new[]
    {
        $"{Status}", Problem, Text("detail"),
        Body is { ValueKind: JsonValueKind.Object } body && body.TryGetProperty("errors", out var errors)
            ? errors.GetRawText() : null,
    }.Where(part => part is not null));

    private static string? Text(JsonElement? json, string member) =>
        json is { ValueKind: JsonValueKind.Object } body && body.TryGetProperty(member, out var value)
            && value.ValueKind is JsonValueKind.String
            ? value.GetString() : null;

    private static JsonElement? Parse(byte[] body)
    {
        if (body.Length == 0) return null;
        try
        {
            return JsonElement.Parse(body);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>What requests are made of.</summary>
internal static class Requests
{
    public static HttpRequestMessage Get(Uri at, string path, string? token = null) =>
        Make(HttpMethod.Get, at, path, token);

    public static HttpRequestMessage Make(HttpMethod method, Uri at, string path, string? token) =>
        new(method, new Uri(at, path)) { Headers = { Authorization = token is null ? null : new("Bearer", token) } };

    /// <param name="method">Such as POST.</param>
    /// <param name="at">The port.</param>
    /// <param name="path">Below it.</param>
    /// <param name="token">Null sends none.</param>
    /// <param name="body">Sent as it is, as JSON.</param>
    public static HttpRequestMessage Json(HttpMethod method, Uri at, string path, string? token, byte[] body)
    {
        var request = Make(method, at, path, token);
        request.Content = new ByteArrayContent(body)
        {
            Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
        };
        return request;
    }
}
