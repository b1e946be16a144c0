using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Every way in which an order of staff about a survey can end. Whoever adds a case answers for it below.
/// </summary>
internal abstract record SurveyOutcome
{
    private SurveyOutcome() { }

    internal sealed record Created(SurveyView Survey) : SurveyOutcome;
    internal sealed record Updated(SurveyView Survey) : SurveyOutcome;
    internal sealed record Deleted : SurveyOutcome;
    internal sealed record Moved(SurveyDates Dates) : SurveyOutcome;
    internal sealed record NoSuchSurvey : SurveyOutcome;
    internal sealed record NotDraft(SurveyStatus Status) : SurveyOutcome;
    internal sealed record NotOpen : SurveyOutcome;
    internal sealed record Invalid(IReadOnlyDictionary<string, string[]> Errors) : SurveyOutcome;
}

/// <summary>How those ends are told.</summary>
internal static class SurveyAnswer
{
    public static readonly Problem InvalidSurvey = new("invalid-survey", 422, "The survey breaks a rule");
    public static readonly Problem SurveyNotDraft = new("survey-not-draft", 409, "The survey is no longer a draft");
    public static readonly Problem SurveyNotOpen = new("survey-not-open", 409, "The survey is not open");

    public static ProblemHttpResult NoSuchSurvey { get; } = Problem.NotFound.Because("There is no such survey.");

    public static IResult Of(SurveyOutcome outcome) => outcome switch
    {
        SurveyOutcome.Created done => new CreatedSurvey(done.Survey),
        SurveyOutcome.Updated done => TypedResults.Json(done.Survey, SurveyJson.Default.SurveyView),
        SurveyOutcome.Deleted => TypedResults.NoContent(),
        SurveyOutcome.Moved done => TypedResults.Json(done.Dates, SurveyJson.Default.SurveyDates),
        SurveyOutcome.NoSuchSurvey => NoSuchSurvey,
        SurveyOutcome.NotDraft survey =>
            SurveyNotDraft.Because($"It is {SurveyWords.Of(survey.Status)}: it stays as it is."),
        SurveyOutcome.NotOpen => SurveyNotOpen.Because("It is a draft: publish it, or delete it."),
        SurveyOutcome.Invalid survey => InvalidSurvey.Because("See errors.", survey.Errors),
        _ => throw new UnreachableException($"No answer for {outcome}."),
    };
}

/// <summary>201 with the survey and its address.</summary>
internal sealed class CreatedSurvey(SurveyView survey) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.Location = $"/v1/internal/surveys/{survey.Id}";
        return TypedResults.Json(survey, SurveyJson.Default.SurveyView, statusCode: StatusCodes.Status201Created)
            .ExecuteAsync(httpContext);
    }
}
