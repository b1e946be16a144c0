using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Voting;

internal static class AnswerEndpoints
{
    private static readonly Problem SessionFinished = new("session-finished", 409, "The session is finished");

    public static void MapAnswerStepByStep(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/v1/surveys/{surveyId}/answers", AddAsync)
            .OnListener(Listener.Public).RequireAuthorization(Access.Voter)
            .WithName("AnswerQuestion").WithSummary("Add one answer to the caller's session; the first one begins it.")
            .Accepts<AnswerBody>("application/json").Produces<FirstAnswerBody>(201).Produces<FirstAnswerBody>();
        endpoints.MapDelete("/v1/surveys/{surveyId}/answers/{answerId}/items/{questionAnswerId}", TakeBackAsync)
            .OnListener(Listener.Public).RequireAuthorization(Access.Voter)
            .WithName("TakeBackAnswer").WithSummary("Take one answer back.");
        endpoints.MapPut("/v1/surveys/{surveyId}/answers/{answerId}/finish", FinishAsync)
            .OnListener(Listener.Public).RequireAuthorization(Access.Voter)
            .WithName("FinishSession").WithSummary("Cast the session's answers. Sending it again is harmless.")
            .Produces<FinishedBody>();
    }

    private static async
        Task<Results<JsonHttpResult<FirstAnswerBody>, JsonHttpResult<QuestionAnswerBody>, ProblemHttpResult>> AddAsync(
            string surveyId, HttpContext context, AnswerQuestion answerQuestion)
    {
        var idempotencyKey = IdempotencyKey.Read(context.Request);
        var body = await JsonBody.ReadAsync(context, AnswerJson.Default.AnswerBody);
        var answer = body.ToAnswer();
        if (!JsonBody.TryParseId(surveyId, out var id)) return CastVoteProblems.NoSuchSurvey(surveyId);

        var request = new AnswerRequest(context.Voter(), id, body.SurveyAnswerId, answer, idempotencyKey);
        var outcome = await answerQuestion.AddAsync(request);
        var (stored, status) = outcome switch
        {
            AnswerOutcome.Added added => (added.Answer, 201),
            AnswerOutcome.Repeated repeated => (repeated.Answer, 200),
            _ => (null, 0),
        };
        if (stored is null) return Refusal(outcome, surveyId);

        var question = QuestionAnswerBody.Of(stored);
        if (body.SurveyAnswerId is not null)
            return TypedResults.Json(question, AnswerJson.Default.QuestionAnswerBody, statusCode: status);
        return TypedResults.Json(
            new FirstAnswerBody(new(question.SurveyAnswer, Id(id), Time(stored.InitializedAt), null), question),
            AnswerJson.Default.FirstAnswerBody, statusCode: status);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> TakeBackAsync(
        string surveyId, string answerId, string questionAnswerId, HttpContext context, AnswerQuestion answerQuestion)
    {
        if (!JsonBody.TryParseId(surveyId, out var id)) return CastVoteProblems.NoSuchSurvey(surveyId);

        return await answerQuestion.TakeBackAsync(context.Voter(), id, answerId, questionAnswerId) switch
        {
            AnswerOutcome.TakenBack => TypedResults.NoContent(),
            var refused => Refusal(refused, surveyId),
        };
    }

    private static async Task<Results<JsonHttpResult<FinishedBody>, ProblemHttpResult>> FinishAsync(
        string surveyId, string answerId, HttpContext context, FinishSession finishSession)
    {
        if (!JsonBody.TryParseId(surveyId, out var id)) return CastVoteProblems.NoSuchSurvey(surveyId);

        return await finishSession.HandleAsync(context.Voter(), id, answerId) switch
        {
            FinishOutcome.Finished finished => TypedResults.Json(
                new FinishedBody(
                    answerId, surveyId, Time(finished.InitializedAt), Time(finished.Vote.AcceptedAt),
                    finished.Vote.VoteId.ToString(), finished.Vote.Receipt),
                AnswerJson.Default.FinishedBody),
            FinishOutcome.NoSuchSession => NoSuchSession(),
            FinishOutcome.Refused refused => CastVoteProblems.Of(refused.Why, surveyId),
            var unknown => throw new UnreachableException($"No answer for {unknown.GetType().Name}."),
        };
    }

    private static ProblemHttpResult Refusal(AnswerOutcome outcome, string surveyId) => outcome switch
    {
        AnswerOutcome.NoSuchSession => NoSuchSession(),
        AnswerOutcome.SessionFinished =>
            SessionFinished.Because("Its answers are frozen; only its finish can be repeated.", []),
        AnswerOutcome.Refused refused => CastVoteProblems.Of(refused.Why, surveyId),
        var unknown => throw new UnreachableException($"No answer for {unknown.GetType().Name}."),
    };

    private static ProblemHttpResult NoSuchSession() =>
        Problem.NotFound.Because("The caller has no such answers in this survey.", []);

    internal static string Id(int id) => id.ToString(CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString(EventJson.TimeFormat, CultureInfo.InvariantCulture);
}

internal sealed record AnswerBody(
    string Question, string? Option = null, string? Text = null, string? SurveyAnswerId = null)
{
    /// <exception cref="MalformedRequestException">The text is too long.</exception>
    public Answer ToAnswer() => Text?.Length > BallotRules.TextLengthMax
        ? throw new MalformedRequestException(
            Problem.MalformedRequest, "The answer is over a limit.",
            new Dictionary<string, string[]> { ["text"] = [$"At most {BallotRules.TextLengthMax} characters."] })
        : new(CastVoteRequest.IdOrNone(Question), Option is null ? [] : [CastVoteRequest.IdOrNone(Option)], Text);
}

internal sealed record SurveyAnswerBody(string Id, string Survey, string Initialized, string? Finished);

internal sealed record QuestionAnswerBody(string Id, string SurveyAnswer, string Question, string? Option, string Text)
{
    public static QuestionAnswerBody Of(SessionAnswer answer) => new(
        answer.Id.ToString(), answer.SessionId.ToString(), AnswerEndpoints.Id(answer.Question),
        answer.Option is { } option ? AnswerEndpoints.Id(option) : null, answer.Text);
}

internal sealed record FirstAnswerBody(SurveyAnswerBody SurveyAnswer, QuestionAnswerBody QuestionAnswer);

internal sealed record FinishedBody(
    string Id, string Survey, string Initialized, string Finished, string VoteId, string Receipt);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, MaxDepth = JsonBody.DepthMax)]
[JsonSerializable(typeof(AnswerBody))]
[JsonSerializable(typeof(QuestionAnswerBody))]
[JsonSerializable(typeof(FirstAnswerBody))]
[JsonSerializable(typeof(FinishedBody))]
internal sealed partial class AnswerJson : JsonSerializerContext;
