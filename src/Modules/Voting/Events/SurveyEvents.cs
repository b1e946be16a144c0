using System.Globalization;
using System.Text.Json;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// What happens to surveys, as it stands in <c>domain-events</c>: CloudEvents whose bytes are frozen by golden files.
/// </summary>
internal static class SurveyEvents
{
    private const string Source = "/voting/surveys";

    public static OutboxEvent Created(EventStamp stamp, SurveyView survey) =>
        Compose("survey.created", stamp, survey.Id, json => WriteContent(json, survey));

    public static OutboxEvent Updated(EventStamp stamp, SurveyView survey) =>
        Compose("survey.updated", stamp, survey.Id, json => WriteContent(json, survey));

    /// <remarks>With all that is fixed by it: a recount needs nothing but this and the votes.</remarks>
    public static OutboxEvent Published(EventStamp stamp, SurveyView survey) =>
        Compose("survey.published", stamp, survey.Id, json =>
        {
            json.WriteString("startDate"u8, OutboxEvent.Time(survey.StartDate!.Value));
            WriteContent(json, survey);
        });

    public static OutboxEvent Finished(EventStamp stamp, int survey, DateTimeOffset finishDate) =>
        Compose("survey.finished", stamp, SurveyWords.Id(survey),
            json => json.WriteString("finishDate"u8, OutboxEvent.Time(finishDate)));

    public static OutboxEvent Deleted(EventStamp stamp, int survey) =>
        Compose("survey.deleted", stamp, SurveyWords.Id(survey), _ => { });

    /// <param name="stamp">Which, when.</param>
    /// <param name="survey">Its id.</param>
    /// <param name="result">The signed result.</param>
    /// <param name="fences">By partition of <c>votes</c>: up to there a recount goes.</param>
    public static OutboxEvent Finalized(
        EventStamp stamp, int survey, FinalResult result, IReadOnlyDictionary<int, long> fences) =>
        Compose("survey.finalized", stamp, SurveyWords.Id(survey), json =>
        {
            json.WriteNumber("version"u8, result.Version);
            json.WriteNumber("ballots"u8, result.Ballots);
            json.WriteStartObject("votes"u8);
            foreach (var (option, count) in result.Votes.OrderBy(vote => vote.Key))
                json.WriteNumber(option.ToString(CultureInfo.InvariantCulture), count);
            json.WriteEndObject();
            json.WriteStartArray("fences"u8);
            foreach (var (partition, offset) in fences.OrderBy(fence => fence.Key))
            {
                json.WriteStartObject();
                json.WriteNumber("partition"u8, partition);
                json.WriteNumber("offset"u8, offset);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteString("statement"u8, result.Statement);
        });

    private static OutboxEvent Compose(string type, EventStamp stamp, string survey, Action<Utf8JsonWriter> rest) =>
        OutboxEvent.Compose(type, Source, $"survey/{survey}", stamp, json =>
        {
            json.WriteString("survey"u8, survey);
            rest(json);
        });

    private static void WriteContent(Utf8JsonWriter json, SurveyView survey)
    {
        json.WriteString("title"u8, survey.Title);
        json.WriteString("resultsVisibility"u8, survey.ResultsVisibility);
        json.WriteNumber("liveBatchMin"u8, survey.LiveBatchMin);
        if (survey.OpensAt is { } opensAt) json.WriteString("opensAt"u8, OutboxEvent.Time(opensAt));
        if (survey.ClosesAt is { } closesAt) json.WriteString("closesAt"u8, OutboxEvent.Time(closesAt));
        WriteEligibility(json, survey.Eligibility);
        json.WriteStartArray("questions"u8);
        foreach (var question in survey.Questions)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, question.Id);
            json.WriteString("title"u8, question.Title);
            json.WriteNumber("min"u8, question.Min);
            json.WriteNumber("max"u8, question.Max);
            json.WriteNumber("order"u8, question.Order);
            json.WriteBoolean("allowText"u8, question.AllowText);
            json.WriteStartArray("options"u8);
            foreach (var option in question.Options)
            {
                json.WriteStartObject();
                json.WriteString("id"u8, option.Id);
                json.WriteString("text"u8, option.Text);
                if (option.Image is not null) json.WriteString("image"u8, option.Image);
                json.WriteNumber("order"u8, option.Order);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteEligibility(Utf8JsonWriter json, EligibilityBody eligibility)
    {
        json.WriteStartObject("eligibility"u8);
        json.WriteBoolean("verified"u8, eligibility.Verified);
        if (eligibility.Countries is { Count: > 0 } countries)
        {
            json.WriteStartArray("countries"u8);
            foreach (var country in countries) json.WriteStringValue(country);
            json.WriteEndArray();
        }

        if (eligibility.MinimumAge is { } age) json.WriteNumber("minimumAge"u8, age);
        if (eligibility.Group is { } group) json.WriteString("group"u8, group);
        json.WriteEndObject();
    }
}
