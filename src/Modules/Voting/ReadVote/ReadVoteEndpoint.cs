using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Voting;

internal static class ReadVoteEndpoint
{
    public static void MapReadVote(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/v1/surveys/{surveyId}/votes/mine", (
            string surveyId, HttpContext context, ReadVote readVote, Receipts receipts) =>
                AnswerAsync(surveyId, null, context, readVote, receipts))
            .OnListener(Listener.Public).RequireAuthorization(Access.Voter)
            .WithName("ReadMyVote").WithSummary("The caller's vote in the survey: how it stands, and its receipt.");
        endpoints.MapGet("/v1/surveys/{surveyId}/votes/{voteId}",
                (string surveyId, string voteId, HttpContext context, ReadVote readVote, Receipts receipts) =>
                    AnswerAsync(surveyId, voteId, context, readVote, receipts))
            .OnListener(Listener.Public).RequireAuthorization(Access.Voter)
            .WithName("ReadVote").WithSummary("The same by the vote's id; another voter's vote is not found.");
    }

    private static async Task<Results<JsonHttpResult<VoteStandingResponse>, ProblemHttpResult>> AnswerAsync(
        string surveyId, string? voteId, HttpContext context, ReadVote readVote, Receipts receipts)
    {
        Key16 key = default;
        if (!JsonBody.TryParseId(surveyId, out var survey) || (voteId is not null && !Key16.TryParse(voteId, out key)))
            return Missing();

        var standing = await readVote.FindAsync(
            context.Voter(), survey, voteId is null ? null : key, context.RequestAborted);
        if (standing is null) return Missing();
        return TypedResults.Json(
            VoteStandingResponse.Of(standing, receipts), VoteStandingJson.Default.VoteStandingResponse);

        static ProblemHttpResult Missing() =>
            Problem.NotFound.Because("The caller has no such vote in this survey.", []);
    }
}

internal sealed record VoteStandingResponse(
    string VoteId, string Survey, string Status, string AcceptedAt, string? Receipt, string? Reason)
{
    public static VoteStandingResponse Of(VoteStanding standing, Receipts receipts) => new(
        standing.Vote.VoteId.ToString(), standing.Vote.Survey.ToString(CultureInfo.InvariantCulture), standing.Status,
        standing.Vote.AcceptedAt.UtcDateTime.ToString(EventJson.TimeFormat, CultureInfo.InvariantCulture),
        standing.Vote.Receipt.Length == 0 ? null : receipts.Compose(standing.Vote), standing.Reason);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(VoteStandingResponse))]
internal sealed partial class VoteStandingJson : JsonSerializerContext;
