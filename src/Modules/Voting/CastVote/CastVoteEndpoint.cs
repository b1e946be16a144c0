using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Voting;

internal static class CastVoteEndpoint
{
    public static void MapCastVote(this IEndpointRouteBuilder endpoints) => endpoints
        .MapPost("/v1/surveys/{surveyId}/votes", CastAsync)
        .OnListener(Listener.Public)
        .RequireAuthorization(Access.Voter)
        .WithName("CastVote")
        .WithSummary("Cast a whole ballot. Sending the same again is harmless.")
        .Accepts<CastVoteRequest>("application/json")
        .Produces<CastVoteResponse>(202)
        .Produces<CastVoteResponse>();

    private static async Task CastAsync(string surveyId, HttpContext context, CastVote castVote)
    {
        var idempotencyKey = IdempotencyKey.Read(context.Request);
        var body = await JsonBody.ReadAsync(context, CastVoteJson.Default.CastVoteRequest);
        var answers = body.ToAnswers();
        var outcome = JsonBody.TryParseId(surveyId, out var id)
            ? await castVote.HandleAsync(new(context.Voter(), id, answers, idempotencyKey))
            : new CastVoteOutcome.NoSuchSurvey();
        await (outcome switch
        {
            CastVoteOutcome.Accepted accepted => AnswerAsync(context, accepted.Vote, 202),
            CastVoteOutcome.Repeated repeated => AnswerAsync(context, repeated.Vote, 200),
            _ => CastVoteProblems.Of(outcome, surveyId).ExecuteAsync(context),
        });
    }

    // Straight to the response: the framework's result types look a logger up for each.
    private static Task AnswerAsync(HttpContext context, AcceptedVote vote, int status)
    {
        context.Response.StatusCode = status;
        var response = new CastVoteResponse(
            vote.VoteId.ToString(), vote.Survey.ToString(CultureInfo.InvariantCulture), "accepted",
            vote.AcceptedAt.UtcDateTime.ToString(EventJson.TimeFormat, CultureInfo.InvariantCulture), vote.Receipt);
        return context.Response.WriteAsJsonAsync(response, CastVoteJson.Default.CastVoteResponse);
    }
}

/// <summary>The refusals that casting gives, in one request or by finishing a session.</summary>
internal static class CastVoteProblems
{
    private static readonly Problem InvalidBallot = new("invalid-ballot", 422, "The ballot breaks the survey's rules");
    private static readonly Problem SurveyNotOpen = new("survey-not-open", 409, "The survey takes no ballots now");
    private static readonly Problem NotEligible = new("not-eligible", 403, "The voter may not vote in this survey");
    private static readonly Problem DuplicateVote =
        new("duplicate-vote", 409, "The voter has a vote in this survey already");
    private static readonly Problem IdempotencyKeyReused =
        new("idempotency-key-reused", 422, "The idempotency key was used with another request");

    public static ProblemHttpResult NoSuchSurvey(string surveyId) =>
        Problem.NotFound.Because($"There is no survey {surveyId}.", []);

    public static ProblemHttpResult Of(CastVoteOutcome outcome, string surveyId) => outcome switch
    {
        CastVoteOutcome.NoSuchSurvey => NoSuchSurvey(surveyId),
        CastVoteOutcome.InvalidBallot invalid =>
            InvalidBallot.Because("The ballot does not fit the survey's questions.", invalid.Errors),
        CastVoteOutcome.NotOpen => SurveyNotOpen.Because("It is not open yet, or has been finished.", []),
        CastVoteOutcome.NotEligible =>
            NotEligible.Because("The survey is for voters whose country, age or group has been verified.", []),
        CastVoteOutcome.DuplicateVote duplicate =>
            DuplicateVote.Because("One vote a voter: the first one stands.", ("voteId", duplicate.First.ToString())),
        CastVoteOutcome.IdempotencyKeyReused =>
            IdempotencyKeyReused.Because("The same key came with another ballot; the first one stands.", []),
        CastVoteOutcome.Overloaded => Problem.Overloaded.Because("The ballot was not recorded; send it again.", []),
        CastVoteOutcome.Unknown =>
            Problem.OutcomeUnknown.Because("Send the same ballot again: it never makes a second vote.", []),
        var unknown => throw new UnreachableException($"No answer for {unknown.GetType().Name}."),
    };
}

// The serializer's null checks stop at an array's elements.
internal sealed record CastVoteRequest(CastAnswer?[] Answers)
{
    private const int AnswerCountMax = 50;
    private const int OptionCountMax = 500;

    /// <exception cref="MalformedRequestException">Over a limit, or an id that is none.</exception>
    public List<Answer> ToAnswers()
    {
        var errors = new Dictionary<string, string[]>();
        if (Answers.Length > AnswerCountMax) errors["answers"] = [$"At most {AnswerCountMax} answers."];
        var answers = new List<Answer>(Math.Min(Answers.Length, AnswerCountMax));
        for (var i = 0; i < Answers.Length && errors.Count == 0; i++)
        {
            if (Answers[i] is { } answer) answers.Add(answer.ToAnswer(i, errors));
            else errors[$"answers[{i}]"] = ["This is null."];
        }

        return errors.Count == 0 ? answers : throw new MalformedRequestException(
            Problem.MalformedRequest, "The ballot is over a limit.", errors);
    }

    internal static Answer Convert(int i, CastAnswer answer, Dictionary<string, string[]> errors)
    {
        if (answer.Options.Length > OptionCountMax)
            errors[$"answers[{i}].options"] = [$"At most {OptionCountMax} options."];
        if (answer.Text?.Length > BallotRules.TextLengthMax)
            errors[$"answers[{i}].text"] = [$"At most {BallotRules.TextLengthMax} characters."];
        var none = Array.IndexOf(answer.Options, null);
        if (none >= 0) errors[$"answers[{i}].options[{none}]"] = ["This is null."];
        return errors.Count > 0
            ? new(0, [], null)
            : new(IdOrNone(answer.Question), [.. answer.Options.Select(option => IdOrNone(option!))], answer.Text);
    }

    // An id that cannot exist is one that the survey does not have: the rules refuse it as such.
    internal static int IdOrNone(string text) => JsonBody.TryParseId(text, out var id) ? id : 0;
}

internal sealed record CastAnswer(string Question, string?[] Options, string? Text = null)
{
    public Answer ToAnswer(int index, Dictionary<string, string[]> errors) =>
        CastVoteRequest.Convert(index, this, errors);
}

internal sealed record CastVoteResponse(string VoteId, string Survey, string Status, string AcceptedAt, string Receipt);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    MaxDepth = JsonBody.DepthMax)]
[JsonSerializable(typeof(CastVoteRequest))]
[JsonSerializable(typeof(CastVoteResponse))]
internal sealed partial class CastVoteJson : JsonSerializerContext;
