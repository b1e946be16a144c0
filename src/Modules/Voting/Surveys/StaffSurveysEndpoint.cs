using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Voting;

/// <summary>Surveys in the hands of staff: all managers' orders, and what any member of staff may read.</summary>
internal static class StaffSurveysEndpoint
{
    public static void MapInternalSurveys(this IEndpointRouteBuilder endpoints)
    {
        var surveys = endpoints.MapGroup("/v1/internal/surveys")
            .OnListener(Listener.Internal);
        var any = surveys.MapGroup("").RequireAuthorization(Access.Staff());
        var manager = surveys.MapGroup("").RequireAuthorization(Access.Staff(StaffRole.Manager));
        any.MapGet("", ListAsync).WithName("ListSurveys").WithSummary("All surveys, newest first.")
            .Produces<SurveyPage>();
        any.MapGet("/{id}", FindAsync).WithName("FindSurvey").WithSummary("One survey, drafts included.")
            .Produces<SurveyView>();
        manager.MapPost("", CreateAsync).WithName("CreateSurvey").WithSummary("Creates a draft.")
            .Accepts<SurveyBody>("application/json").Produces<SurveyView>(StatusCodes.Status201Created);
        manager.MapPut("/{id}", UpdateAsync).WithName("UpdateSurvey")
            .WithSummary("Changes a draft: items with an id change, those without are new, those left out are deleted.")
            .Accepts<SurveyBody>("application/json").Produces<SurveyView>();
        manager.MapPut("/{id}/publish", PublishAsync).WithName("PublishSurvey")
            .WithSummary("Opens a draft for ballots; from then on it cannot change. Repeating the call is harmless.")
            .Produces<SurveyDates>();
        manager.MapPut("/{id}/finish", FinishAsync).WithName("FinishSurvey")
            .WithSummary("Ends the taking of ballots. Repeating the call is harmless.").Produces<SurveyDates>();
        manager.MapDelete("/{id}", DeleteAsync).WithName("DeleteSurvey").WithSummary("Deletes a draft.")
            .Produces(StatusCodes.Status204NoContent);
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, VotingDatabase database, CancellationToken cancel) =>
        TypedResults.Json(
            await ListSurveys.ReadAsync(database, SurveyPageQuery.Of(context.Request.Query), cancel),
            SurveyJson.Default.SurveyPage);

    private static async Task<IResult> FindAsync(string id, VotingDatabase database, CancellationToken cancel) =>
        JsonBody.TryParseId(id, out var number) && await SurveyRows.FindAsync(database, number, cancel) is { } survey
            ? TypedResults.Json(SurveyView.Of(survey), SurveyJson.Default.SurveyView)
            : SurveyAnswer.NoSuchSurvey;

    private static async Task<IResult> CreateAsync(
        HttpContext context, WriteSurvey surveys, CancellationToken cancel) =>
        SurveyAnswer.Of(await surveys.CreateAsync(await BodyAsync(context, mayNameIds: false), Actor(context), cancel));

    private static Task<IResult> UpdateAsync(
        string id, HttpContext context, WriteSurvey surveys, CancellationToken cancel) =>
        AnswerAsync(id, async number =>
            await surveys.UpdateAsync(
                number, await BodyAsync(context, mayNameIds: true), Actor(context), cancel));

    private static Task<IResult> PublishAsync(
        string id, HttpContext context, PublishSurvey surveys, CancellationToken cancel) =>
        AnswerAsync(id, number => surveys.PublishAsync(number, onlyIfDue: false, Actor(context), cancel));

    private static Task<IResult> FinishAsync(
        string id, HttpContext context, PublishSurvey surveys, CancellationToken cancel) =>
        AnswerAsync(id, number => surveys.FinishAsync(number, onlyIfDue: false, Actor(context), cancel));

    private static Task<IResult> DeleteAsync(
        string id, HttpContext context, WriteSurvey surveys, CancellationToken cancel) =>
        AnswerAsync(id, number => surveys.DeleteAsync(number, Actor(context), cancel));

    private static EventActor Actor(HttpContext context) => EventActor.Of(context.Staff());

    private static async Task<IResult> AnswerAsync(string id, Func<int, Task<SurveyOutcome>> order) =>
        JsonBody.TryParseId(id, out var number) ? SurveyAnswer.Of(await order(number)) : SurveyAnswer.NoSuchSurvey;

    private static async Task<SurveyBody> BodyAsync(HttpContext context, bool mayNameIds)
    {
        var body = await JsonBody.ReadAsync(context, SurveyJson.Default.SurveyBody);
        var faults = SurveyRules.Malformations(body, mayNameIds);
        return faults.None
            ? body
            : throw new MalformedRequestException(
                Problem.MalformedRequest, "The survey is not in the form that is asked for here.", faults.Messages);
    }
}
