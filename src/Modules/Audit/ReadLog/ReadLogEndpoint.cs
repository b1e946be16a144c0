using System.Buffers.Text;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Audit;

/// <summary>The logs as everybody may read and verify them: C2SP's tlog-tiles.</summary>
internal static class ReadLogEndpoint
{
    private const string Prefix = "/v1/audit/logs";
    private const string NoteType = "text/plain; charset=utf-8";
    private const string TileType = "application/octet-stream";

    // A new checkpoint comes within seconds; each cache asks once a second, however many ask it.
    private const string ShortLived = "public, max-age=1, stale-while-revalidate=5";

    // A full tile never changes. A partial one does not either, but need not be asked for any more.
    private const string Immutable = "public, max-age=31536000, immutable";
    private const string PartialLived = "public, max-age=86400, immutable";

    private const int LogNameLengthMax = 64;

    public static void MapReadLog(this IEndpointRouteBuilder endpoints)
    {
        var logs = endpoints.MapGroup(Prefix).OnListener(Listener.Public).AllowAnonymous();
        logs.MapGet("", ListAsync).WithName("ListLogs")
            .WithSummary("The transparency logs, with the key that each signs with.").Produces<LogPage>();
        logs.MapGet("/{log}/checkpoint", CheckpointAsync).WithName("ReadCheckpoint")
            .WithSummary("A log's newest signed checkpoint (C2SP tlog-checkpoint).")
            .Produces(StatusCodes.Status200OK, contentType: "text/plain");
        logs.MapGet("/{log}/tile/{**tile}", TileAsync).WithName("ReadTile")
            .WithSummary("A tile of a log's tree, or a bundle of its entries (C2SP tlog-tiles).")
            .Produces(StatusCodes.Status200OK, contentType: TileType);
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, PublishedLogs published, SealedLogs logs, LogSigners signers, CancellationToken cancel)
    {
        var query = QueryReader.Of(context.Request.Query, "cursor", "limit");
        var limit = query.Limit();
        var after = query.Cursor<string>(TryCursor) ?? "";
        query.RefuseFaults();

        var known = logs.All.ToDictionary(log => log.Name, StringComparer.Ordinal);
        var found = await published.ListAsync(known.Keys, after, limit + 1, cancel);
        var items = found.Take(limit).Select(one =>
        {
            VerifierKey[] keys = [.. signers(known[one.Log]).Select(signer => signer.Verifier)];
            var (newest, signatures) = (one.Newest.Checkpoint, one.Newest.Note.Signatures);
            // A key that was added has signed nothing before something is sealed: by it alone nothing is verified.
            var signed = Array.Find(keys, key => signatures.Any(key.IsNamedBy)) ?? keys[0];
            return new LogView(
                one.Log, newest.Origin, $"{signed}", [.. keys.Select(key => $"{key}")], newest.Size,
                $"{Prefix}/{one.Log}");
        }).ToArray();
        var next = found.Count > limit ? Base64Url.EncodeToString(Encoding.UTF8.GetBytes(items[^1].Log)) : null;
        context.Response.Headers.CacheControl = ShortLived;
        return TypedResults.Json(new LogPage(items, next), AuditJson.Default.LogPage);
    }

    private static async Task<IResult> CheckpointAsync(
        string log, HttpContext context, PublishedLogs logs, CancellationToken cancel)
    {
        if (!IsSpelt(context, $"{Prefix}/{log}/checkpoint") || await FindAsync(logs, log, cancel) is not { } newest)
            return Nothing(context);
        context.Response.Headers.CacheControl = ShortLived;
        return TypedResults.Bytes(Encoding.UTF8.GetBytes(newest.ToString()), NoteType);
    }

    private static async Task<IResult> TileAsync(
        string log, string? tile, HttpContext context, PublishedLogs logs, TileTable tiles, CancellationToken cancel)
    {
        if (!TileId.TryParse($"tile/{tile}", out var id) || !IsSpelt(context, $"{Prefix}/{log}/{id.Path}")
            || await FindAsync(logs, log, cancel) is not { } newest || !id.IsOf(newest.Checkpoint.Size)
            || (await tiles.ReadAsync(log, [id], cancel))[0] is not { Length: > 0 } hashes)
        {
            return Nothing(context);
        }

        context.Response.Headers.CacheControl = id.Width == TileId.FullWidth ? Immutable : PartialLived;
        return TypedResults.Bytes(
            id.Level == TileId.EntriesLevel ? EntryBundle.Encode(Digest.Sequence(hashes.Span)) : hashes, TileType);
    }

    private static ValueTask<SignedCheckpoint?> FindAsync(PublishedLogs logs, string log, CancellationToken cancel) =>
        log.Length is > 0 and <= LogNameLengthMax && log.All(IsOfName)
            ? logs.NewestAsync(log, isCosigned: true, cancel) : new((SignedCheckpoint?)null);

    private static bool IsOfName(char one) => char.IsAsciiLetterLower(one) || char.IsAsciiDigit(one) || one == '-';

    /// <summary>
    /// Whether the address was written exactly so: what stays right for ever must not lie in caches under many names.
    /// </summary>
    private static bool IsSpelt(HttpContext context, string path)
    {
        var asked = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var query = asked.IndexOf('?', StringComparison.Ordinal);
        return (query < 0 ? asked : asked[..query]) == path;
    }

    // A cache that kept this answer would hide what comes.
    private static ProblemHttpResult Nothing(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        return Problem.NotFound.Because("There is no such part of a log.");
    }

    private static bool TryCursor(string text, out string log)
    {
        log = "";
        Span<byte> bytes = stackalloc byte[LogNameLengthMax];
        if (!Base64Url.IsValid(text, out var length) || length is 0 or > LogNameLengthMax) return false;
        if (!Base64Id.TryDecode(text, bytes[..length]) || !Ascii.IsValid(bytes[..length])) return false;
        log = Encoding.ASCII.GetString(bytes[..length]);
        return true;
    }
}

/// <summary>A page of logs.</summary>
/// <param name="Items">By name.</param>
/// <param name="Next">Where the next page begins, or null.</param>
internal sealed record LogPage(IReadOnlyList<LogView> Items, string? Next);

/// <summary>One log.</summary>
/// <param name="Log">Its name: <c>votes-07</c>.</param>
/// <param name="Origin">As its checkpoints say it.</param>
/// <param name="Vkey">The newest verifier key that has signed its newest checkpoint.</param>
/// <param name="Vkeys">Every key that it signs with, the newest first: several while keys are changed.</param>
/// <param name="Size">How many entries its newest checkpoint covers.</param>
/// <param name="Prefix">Where checkpoint and tiles are.</param>
internal sealed record LogView(
    string Log, string Origin, string Vkey, IReadOnlyList<string> Vkeys, long Size, string Prefix);
