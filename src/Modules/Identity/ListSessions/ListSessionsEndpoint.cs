using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Platform;

namespace Identity;

/// <param name="Items">Newest first.</param>
/// <param name="Next">Cursor of the next page; null when there is none.</param>
internal sealed record SessionPage(IReadOnlyList<SessionItem> Items, string? Next);

/// <param name="Id">22 characters.</param>
/// <param name="Device">What it is bound to, or null.</param>
/// <param name="CreatedAt">When the voter signed in.</param>
/// <param name="LastSeenAt">When its tokens were last exchanged.</param>
/// <param name="Current">Whether it is the session that asks.</param>
internal sealed record SessionItem(string Id, string? Device, string CreatedAt, string LastSeenAt, bool Current);

internal static class ListSessionsEndpoint
{
    private const int CursorBytes = sizeof(long) + 16;
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static void MapListSessions(this IEndpointRouteBuilder endpoints) => endpoints
        .MapGet("/v1/auth/sessions", ListAsync)
        .OnListener(Listener.Public)
        .RequireAuthorization(Access.Voter)
        .WithName("ListSessions")
        .WithSummary("The voter's live sessions, newest first.")
        .Produces<SessionPage>().ProducesProblem(400).ProducesProblem(401);

    private static async Task<JsonHttpResult<SessionPage>> ListAsync(
        HttpContext context, IdentityDatabase database, IOptions<IdentityOptions> options, TimeProvider clock,
        CancellationToken cancel)
    {
        var limit = Limit(context.Request.Query["limit"]);
        var (before, beforeId) = Cursor(context.Request.Query["cursor"]);
        var caller = context.Voter();
        var now = clock.GetUtcNow();
        await using var command = database.OfBucket(Buckets.Of(caller.VoterId)).Command(
            """
            SELECT session_id, device, created_at, rotated_at FROM $schema$.sessions
            WHERE voter_id = $1 AND ended_at IS NULL AND expires_at > $2 AND rotated_at > $3
                AND (created_at < $4 OR (created_at = $4 AND session_id > $5))
            ORDER BY created_at DESC, session_id LIMIT $6
            """,
            caller.VoterId, now, now - options.Value.SessionIdle, before, beforeId, limit + 1);
        await using var rows = await command.ExecuteReaderAsync(cancel);
        var items = new List<SessionItem>();
        string? next = null;
        var last = (At: before, Id: beforeId);
        while (await rows.ReadAsync(cancel))
        {
            if (items.Count == limit)
            {
                next = Cursor(last.At, last.Id);
                break;
            }

            last = (rows.GetFieldValue<DateTimeOffset>(2), rows.GetFieldValue<byte[]>(0));
            items.Add(new(
                Base64Url.EncodeToString(last.Id), await rows.IsDBNullAsync(1, cancel) ? null : rows.GetString(1),
                Time(last.At), Time(rows.GetFieldValue<DateTimeOffset>(3)),
                last.Id.AsSpan().SequenceEqual(caller.SessionId)));
        }

        return TypedResults.Json(new SessionPage(items, next), IdentityJson.Default.SessionPage);
    }

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    private static int Limit(string? text) => text switch
    {
        null => 20,
        _ when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            && limit is >= 1 and <= 100 => limit,
        _ => throw Bad("limit", "It must be a number from 1 to 100."),
    };

    private static string Cursor(DateTimeOffset at, byte[] id)
    {
        Span<byte> bytes = stackalloc byte[CursorBytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, at.UtcTicks);
        id.CopyTo(bytes[sizeof(long)..]);
        return Base64Url.EncodeToString(bytes);
    }

    private static (DateTimeOffset Before, byte[] BeforeId) Cursor(string? text)
    {
        if (text is null) return (DateTimeOffset.MaxValue, new byte[16]);

        Span<byte> bytes = stackalloc byte[CursorBytes];
        if (!Base64Id.TryDecode(text, bytes)
            || BinaryPrimitives.ReadInt64BigEndian(bytes) is var ticks
                && (ticks < 0 || ticks > DateTimeOffset.MaxValue.UtcTicks))
        {
            throw Bad("cursor", "It is no cursor of this list.");
        }

        return (new(BinaryPrimitives.ReadInt64BigEndian(bytes), TimeSpan.Zero), bytes[sizeof(long)..].ToArray());
    }

    private static MalformedRequestException Bad(string member, string message) => new(
        Problem.MalformedRequest, $"The {member} is not one.",
        new Dictionary<string, string[]> { [member] = [message] });
}
