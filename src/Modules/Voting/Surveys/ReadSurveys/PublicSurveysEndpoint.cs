using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Platform;

namespace Voting;

/// <summary>Surveys as anybody may read them, from memory.</summary>
internal static class PublicSurveysEndpoint
{
    public static void MapPublicSurveys(this IEndpointRouteBuilder endpoints)
    {
        var surveys = endpoints.MapGroup("/v1/surveys").OnListener(Listener.Public).AllowAnonymous();
        surveys.MapGet("", ListAsync)
            .WithName("ListOpenSurveys")
            .WithSummary("Surveys that take ballots now, newest first.")
            .Produces<SurveyPage>();
        surveys.MapGet("/{id}", ReadAsync)
            .WithName("ReadSurvey")
            .WithSummary("One survey with its questions and options, once it has been published.")
            .Produces<SurveyView>();
    }

    private static Task ListAsync(HttpContext context, SurveyDirectory directory)
    {
        var query = SurveyPageQuery.Of(context.Request.Query);
        return directory.IsReady
            ? Page(directory.Open, query).WriteAsync(context)
            : NotReadyAsync(context);
    }

    private static Task ReadAsync(HttpContext context, SurveyDirectory directory, string id)
    {
        if (!directory.IsReady) return NotReadyAsync(context);
        if (JsonBody.TryParseId(id, out var number) && directory.Rendered(number) is { } survey)
            return survey.WriteAsync(context);

        // A cache that kept this answer would hide a survey after its publication.
        context.Response.Headers.CacheControl = "no-store";
        return SurveyAnswer.NoSuchSurvey.ExecuteAsync(context);
    }

    private static Task NotReadyAsync(HttpContext context) =>
        Problem.Overloaded.WriteAsync(context, "The surveys have not been read yet.");

    private static Rendered Page(IReadOnlyList<Survey> open, SurveyPageQuery query)
    {
        var rest = query.After is { } after ? open.SkipWhile(survey => Cursor(survey).CompareTo(after) >= 0) : open;
        var page = rest.Take(query.Limit + 1).ToArray();
        var next = page.Length > query.Limit ? Cursor(page[query.Limit - 1]).Write() : null;
        return new(JsonSerializer.SerializeToUtf8Bytes(
            new([.. page.Take(query.Limit).Select(SurveySummary.Of)], next), SurveyJson.Default.SurveyPage));
    }

    private static SurveyCursor Cursor(Survey survey) =>
        new(survey.Description.StartDate!.Value.ToUnixTimeMilliseconds(), survey.Id);
}
