using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>What staff send to create or update a survey. Types and presence are checked by the serializer, the rest by
/// <see cref="SurveyRules"/>.</summary>
/// <param name="ResultsVisibility">Null means live.</param>
/// <param name="LiveBatchMin">Null means 1.</param>
/// <param name="Eligibility">Null means verified persons, all of them.</param>
internal sealed record SurveyBody(
    string Title,
    IReadOnlyList<QuestionBody> Questions,
    string? ResultsVisibility = null,
    int? LiveBatchMin = null,
    DateTimeOffset? OpensAt = null,
    DateTimeOffset? ClosesAt = null,
    EligibilityBody? Eligibility = null);

/// <summary>A question, as sent and as answered.</summary>
/// <param name="Id">Null in what is new; never null in an answer.</param>
internal sealed record QuestionBody(
    string Title,
    int Min,
    int Max,
    int Order,
    [property: JsonPropertyOrder(1)] IReadOnlyList<OptionBody> Options,
    bool AllowText = false,
    [property: JsonPropertyOrder(-1)] string? Id = null);

/// <summary>An option, as sent and as answered.</summary>
/// <param name="Id">Null in what is new; never null in an answer.</param>
internal sealed record OptionBody(
    string Text,
    int Order,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Image = null,
    [property: JsonPropertyOrder(-1)] string? Id = null);

/// <summary>Who may vote, as sent and as answered.</summary>
internal sealed record EligibilityBody(
    bool Verified = true,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Countries = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? MinimumAge = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Group = null);

/// <summary>A whole survey as it is answered, to staff and to the public alike.</summary>
internal sealed record SurveyView(
    string Id,
    string Title,
    string Status,
    DateTimeOffset? StartDate,
    DateTimeOffset? FinishDate,
    string ResultsVisibility,
    int LiveBatchMin,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? OpensAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? ClosesAt,
    EligibilityBody Eligibility,
    IReadOnlyList<QuestionBody> Questions)
{
    public static SurveyView Of(Survey survey)
    {
        var description = survey.Description;
        return new(
            SurveyWords.Id(survey.Id), description.Title, SurveyWords.Of(description.Status),
            description.StartDate, description.FinishDate, SurveyWords.Of(description.ResultsVisibility),
            description.LiveBatchMin, survey.OpensAt, survey.ClosesAt, Of(survey.Eligibility),
            [.. description.Questions.Select(Of)]);
    }

    private static QuestionBody Of(PublicQuestion question) => new(
        question.Title, question.Min, question.Max, question.Order,
        [.. question.Options.Select(option =>
            new OptionBody(option.Text, option.Order, option.Image, SurveyWords.Id(option.Id)))],
        question.AllowText, SurveyWords.Id(question.Id));

    private static EligibilityBody Of(Eligibility eligibility) => new(
        eligibility.Verified, eligibility.Countries is { Count: > 0 } countries ? countries : null,
        eligibility.MinimumAge, eligibility.Group);
}

/// <summary>A survey in a list.</summary>
internal sealed record SurveySummary(
    string Id,
    string Title,
    string Status,
    DateTimeOffset? StartDate,
    DateTimeOffset? FinishDate,
    string ResultsVisibility,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? OpensAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? ClosesAt)
{
    public static SurveySummary Of(Survey survey) => new(
        SurveyWords.Id(survey.Id), survey.Description.Title, SurveyWords.Of(survey.Status),
        survey.Description.StartDate, survey.Description.FinishDate,
        SurveyWords.Of(survey.Description.ResultsVisibility), survey.OpensAt, survey.ClosesAt);
}

/// <summary>One page of a list.</summary>
/// <param name="Next">The cursor of the next page; null on the last.</param>
internal sealed record SurveyPage(IReadOnlyList<SurveySummary> Items, string? Next);

/// <summary>What publish and finish answer.</summary>
internal sealed record SurveyDates(string Id, string Title, DateTimeOffset? StartDate, DateTimeOffset? FinishDate);

/// <summary>Words and ids of surveys as they stand on the wire and in the tables.</summary>
internal static class SurveyWords
{
    public static string Id(int id) => id.ToString(CultureInfo.InvariantCulture);

    public static string Of(SurveyStatus status) => status switch
    {
        SurveyStatus.Draft => "draft",
        SurveyStatus.Published => "published",
        SurveyStatus.Closing => "closing",
        SurveyStatus.Finished => "finished",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, null),
    };

    public static SurveyStatus Status(string word) => word switch
    {
        "draft" => SurveyStatus.Draft,
        "published" => SurveyStatus.Published,
        "closing" => SurveyStatus.Closing,
        "finished" => SurveyStatus.Finished,
        _ => throw new ArgumentOutOfRangeException(nameof(word), word, null),
    };

    public static string Of(ResultsVisibility visibility) =>
        visibility is ResultsVisibility.Live ? "live" : "afterFinish";

    /// <returns>Null when there is no such word.</returns>
    public static ResultsVisibility? Visibility(string word) => word switch
    {
        "live" => ResultsVisibility.Live,
        "afterFinish" => ResultsVisibility.AfterFinish,
        _ => null,
    };
}

/// <summary>
/// RFC 3339. Read with any offset, cut to milliseconds; written in UTC with a <c>Z</c> and milliseconds.
/// </summary>
internal sealed class WireTime : JsonConverter<DateTimeOffset>
{
    private static readonly string[] Forms = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is not JsonTokenType.String || reader.GetString() is not { Length: <= 40 } text
            // The forms' K also takes a time without an offset, which means another instant on every machine.
            || !(text.EndsWith('Z') || (text.Length > 6 && text[^6] is '+' or '-' && text[^3] == ':'))
            || !DateTimeOffset.TryParseExact(
                text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time))
        {
            throw new JsonException();
        }

        return new DateTimeOffset(time.UtcTicks - time.UtcTicks % TimeSpan.TicksPerMillisecond, TimeSpan.Zero);
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(
            value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    NumberHandling = JsonNumberHandling.Strict,
    MaxDepth = JsonBody.DepthMax,
    Converters = [typeof(WireTime)])]
[JsonSerializable(typeof(SurveyBody))]
[JsonSerializable(typeof(SurveyView))]
[JsonSerializable(typeof(SurveyPage))]
[JsonSerializable(typeof(SurveyDates))]
[JsonSerializable(typeof(Dictionary<int, long>))]
internal sealed partial class SurveyJson : JsonSerializerContext;
