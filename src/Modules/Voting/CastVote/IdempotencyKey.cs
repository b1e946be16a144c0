using Microsoft.AspNetCore.Http;
using Platform;

namespace Voting;

/// <summary>The header <c>Idempotency-Key</c>: a quoted string; the unquoted form is taken as well.</summary>
internal static class IdempotencyKey
{
    private const int LengthMax = 64;

    /// <returns>The key, or null when the request has none.</returns>
    /// <exception cref="MalformedRequestException">Given twice, too long, empty, or not visible ASCII.</exception>
    public static string? Read(HttpRequest request)
    {
        var given = request.Headers["Idempotency-Key"];
        if (given.Count == 0) return null;

        var text = given.Count == 1 ? given.ToString().Trim() : "";
        if (text.Length >= 2 && text[0] == '"' && text[^1] == '"') text = text[1..^1];
        if (text.Length is 0 or > LengthMax || text.Any(character => character is <= ' ' or > '~' or '"'))
        {
            throw new MalformedRequestException(
                Problem.MalformedRequest,
                $"Idempotency-Key is one string of 1 to {LengthMax} visible ASCII characters.");
        }

        return text;
    }
}
