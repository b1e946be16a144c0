using System.Buffers.Binary;
using System.Buffers.Text;
using Microsoft.AspNetCore.Http;
using Platform;

namespace Voting;

/// <summary>Where a page of surveys ended. Opaque to clients.</summary>
/// <param name="At">The last survey's <c>startDate</c>, in ms since 1970; 0 in lists that go by id alone.</param>
/// <param name="Id">The last survey's id.</param>
internal readonly record struct SurveyCursor(long At, int Id) : IComparable<SurveyCursor>
{
    private const int SizeBytes = 12;

    /// <returns>The cursor as it stands in an answer.</returns>
    public string Write()
    {
        Span<byte> bytes = stackalloc byte[SizeBytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, At);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], Id);
        return Base64Url.EncodeToString(bytes);
    }

    /// <returns>Later surveys are greater.</returns>
    public int CompareTo(SurveyCursor other) => (At, Id).CompareTo((other.At, other.Id));

    /// <returns>Whether the text is a cursor that <see cref="Write"/> could have written.</returns>
    public static bool TryRead(string text, out SurveyCursor cursor)
    {
        cursor = default;
        Span<byte> bytes = stackalloc byte[SizeBytes];
        if (!Base64Id.TryDecode(text, bytes)) return false;

        cursor = new(BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt32BigEndian(bytes[8..]));
        return cursor is { At: >= 0, Id: > 0 };
    }
}

/// <summary>What <c>?cursor=&amp;limit=</c> asks for.</summary>
/// <param name="After">Null on the first page.</param>
/// <param name="Limit">1 to 100.</param>
internal readonly record struct SurveyPageQuery(SurveyCursor? After, int Limit)
{
    private const int LimitDefault = 20;
    private const int LimitMax = 100;

    /// <exception cref="MalformedRequestException">A parameter is not what is asked for, or there twice.</exception>
    public static SurveyPageQuery Of(IQueryCollection query)
    {
        var (limit, after) = (LimitDefault, (SurveyCursor?)null);
        if (query.TryGetValue("limit", out var limits)
            && (limits.Count != 1 || !JsonBody.TryParseId(limits[0], out limit) || limit > LimitMax))
        {
            throw Malformed("limit", $"This is 1 to {LimitMax}.");
        }

        if (query.TryGetValue("cursor", out var cursors))
        {
            if (cursors.Count != 1 || !SurveyCursor.TryRead(cursors[0]!, out var cursor))
                throw Malformed("cursor", "This is no cursor that was given out here.");
            after = cursor;
        }

        return new(after, limit);
    }

    private static MalformedRequestException Malformed(string parameter, string message) => new(
        Problem.MalformedRequest, "The query is malformed.",
        new Dictionary<string, string[]> { [parameter] = [message] });
}
