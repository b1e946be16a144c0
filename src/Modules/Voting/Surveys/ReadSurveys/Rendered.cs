using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Voting;

/// <summary>Bytes of an answer that anybody may get, with the tag by which a cache asks for changes.</summary>
internal sealed class Rendered
{
    /// <summary>
    /// How long a cache may serve it unasked. Short enough that a finish shows within two seconds and then some; long
    /// enough
    /// that each cache asks us once a second, however many people ask it.
    /// </summary>
    private const string CacheControl = "public, max-age=1, stale-while-revalidate=5";

    // By what the bytes are, not by the revision: two versions of this program may write one revision differently.
    private readonly EntityTagHeaderValue _tag;
    private readonly byte[] _json;

    public Rendered(byte[] json)
    {
        _json = json;
        _tag = new($"\"{Base64Url.EncodeToString(SHA256.HashData(json).AsSpan(0, 12))}\"");
    }

    public static Rendered Of(Survey survey) =>
        new(JsonSerializer.SerializeToUtf8Bytes(SurveyView.Of(survey), SurveyJson.Default.SurveyView));

    /// <summary>Answers 200 with the bytes, or 304 when the caller has them.</summary>
    public async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.Headers.ETag = _tag.ToString();
        response.Headers.CacheControl = CacheControl;
        if (IsKnown(context.Request.Headers.IfNoneMatch))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = _json.Length;
        await response.Body.WriteAsync(_json, context.RequestAborted);
    }

    private bool IsKnown(StringValues ifNoneMatch) =>
        ifNoneMatch.Count > 0
        && EntityTagHeaderValue.TryParseList([.. ifNoneMatch.OfType<string>()], out var tags)
        && tags.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(_tag, useStrongComparison: false));
}
