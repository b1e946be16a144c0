using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Voting.Contracts;

namespace Results;

/// <summary>Writes results as the contract has them on the wire.</summary>
internal static class FrameBytes
{
    // As ASP.NET does for its own JSON: never put into a page as it stands, so only what JSON demands is escaped.
    private static readonly JsonWriterOptions Json =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <returns>The status as the contract writes it.</returns>
    public static string Word(ResultStatus status) => status switch
    {
        ResultStatus.Published => "published",
        ResultStatus.Closing => "closing",
        ResultStatus.Final => "final",
        _ => throw new UnreachableException($"No word for {status}."),
    };

    public static byte[] StatusEvent(int surveyId, ResultStatus status) => Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture,
            $"event: status\ndata: {{\"survey\":\"{surveyId}\",\"status\":\"{Word(status)}\"}}\n\n"));

    public static byte[] TallyEvent(PublicSurvey survey, long version, long ballots, long[] votes, DateTimeOffset asOf)
    {
        var bytes = new ArrayBufferWriter<byte>(256 + (votes.Length * 32));
        Encoding.UTF8.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"id: {version}\nevent: tally\ndata: "), bytes);
        using (var json = new Utf8JsonWriter(bytes, Json))
        {
            json.WriteStartObject();
            WriteId(json, "survey", survey.Id);
            json.WriteNumber("version", version);
            json.WriteString("asOf", Instant(asOf));
            json.WriteNumber("totalResponses", ballots);
            WriteQuestions(json, survey, votes, whole: false);
            json.WriteEndObject();
        }

        bytes.Write("\n\n"u8);
        return bytes.WrittenSpan.ToArray();
    }

    public static byte[] Snapshot(
        PublicSurvey survey, ResultStatus status, long version, long ballots, long[] votes, DateTimeOffset asOf)
    {
        var bytes = new ArrayBufferWriter<byte>(512 + (votes.Length * 128));
        using (var json = new Utf8JsonWriter(bytes, Json))
        {
            json.WriteStartObject();
            json.WriteStartObject("survey");
            WriteId(json, "id", survey.Id);
            json.WriteString("title", survey.Title);
            json.WriteEndObject();
            json.WriteNumber("totalResponses", ballots);
            json.WriteString("status", Word(status));
            json.WriteNumber("version", version);
            json.WriteString("asOf", Instant(asOf));
            WriteQuestions(json, survey, votes, whole: true);
            json.WriteEndObject();
        }

        return bytes.WrittenSpan.ToArray();
    }

    private static void WriteQuestions(Utf8JsonWriter json, PublicSurvey survey, long[] votes, bool whole)
    {
        var next = 0;
        json.WriteStartArray("questions");
        foreach (var question in survey.Questions)
        {
            json.WriteStartObject();
            WriteId(json, "id", question.Id);
            if (whole)
            {
                json.WriteString("title", question.Title);
                json.WriteNumber("order", question.Order);
            }

            json.WriteStartArray("options");
            foreach (var option in question.Options)
            {
                json.WriteStartObject();
                WriteId(json, "id", option.Id);
                if (whole)
                {
                    json.WriteString("text", option.Text);
                    if (option.Image is not null) json.WriteString("image", option.Image);
                    json.WriteNumber("order", option.Order);
                }

                json.WriteNumber("votes", votes[next++]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteId(Utf8JsonWriter json, string name, int id)
    {
        Span<char> digits = stackalloc char[11];
        id.TryFormat(digits, out var length, default, CultureInfo.InvariantCulture);
        json.WriteString(name, digits[..length]);
    }

    private static string Instant(DateTimeOffset at) =>
        at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
