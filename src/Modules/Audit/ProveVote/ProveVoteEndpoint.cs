using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Audit;

internal static class ProveVoteEndpoint
{
    private const int KeySizeBytes = 16;

    // The entry stays where it is; only cosignatures come later.
    private const string CacheControl = "public, max-age=60";

    // Sealing takes about as long.
    private const string RetryAfter = "2";

    public static void MapProveVote(this IEndpointRouteBuilder endpoints) => endpoints
        .MapGet("/v1/votes/{voteId}/proof", ProveAsync)
        .OnListener(Listener.Public)
        .AllowAnonymous()
        .Produces(StatusCodes.Status200OK, contentType: "text/plain")
        .WithName("ProveVote")
        .WithSummary("The proof that a vote is in its log (C2SP tlog-proof); 404 until it is sealed.");

    private static async Task<IResult> ProveAsync(
        string voteId, HttpContext context, ProveVote votes, ReadingMetrics metrics, CancellationToken cancel)
    {
        var query = QueryReader.Of(context.Request.Query, "entry");
        var entry = query.Optional<Digest>("entry", "This is the event_digest of a receipt.", TryDigest);
        query.RefuseFaults();

        var vote = new byte[KeySizeBytes];
        var outcome = Base64Id.TryDecode(voteId, vote)
            ? await votes.HandleAsync(vote, entry, cancel) : new ProveVoteOutcome.NoSuchVote();
        metrics.Asked(outcome is ProveVoteOutcome.Proved);
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        switch (outcome)
        {
            case ProveVoteOutcome.Proved proved:
                headers.CacheControl = CacheControl;
                return TypedResults.Bytes(Encoding.UTF8.GetBytes(proved.Proof.ToString()), "text/plain; charset=utf-8");
            case ProveVoteOutcome.NotYet:
                headers.RetryAfter = RetryAfter;
                return Problem.NotFound.Because("No such vote is sealed yet; ask again a little later.");
            case ProveVoteOutcome.NoSuchVote:
                return Problem.NotFound.Because("There is no such vote.");
            default:
                throw new UnreachableException($"No answer for {outcome}.");
        }
    }

    private static bool TryDigest(string text, out Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Bytes];
        var valid = Base64Id.TryDecode(text, bytes);
        digest = valid ? new(bytes) : default;
        return valid;
    }
}
