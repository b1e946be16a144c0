using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Audit;

/// <content>How a report is written down.</content>
internal sealed partial class VerificationReport
{
    /// <returns>The report for people, a line a fact.</returns>
    public string ToText(TimeSpan took, long entries)
    {
        var text = new StringBuilder();
        lock (_lock)
        {
            foreach (var log in _logs.OrderBy(log => Rank(log.Name)).ThenBy(log => log.Name, StringComparer.Ordinal))
                text.AppendLine($"{log.Name}: {log.Size} entries, root {log.Root.Base64}");
            if (_votes is { } votes)
            {
                Line(text, $"records of votes: {votes.Records}, of these");
                Line(text, $"  {votes.Counted} counted, {votes.Held} held, {votes.Rejected} rejected");
                Line(text, $"  {votes.Repeated} repeated, {votes.Fences} fences, {votes.SetAside} set aside");
                Line(text, $"  {votes.Pending} pending");
            }

            foreach (var survey in _surveys.OrderBy(survey => survey.Survey))
            {
                var ending = survey.IsFinal
                    ? $"equal to the final result (signature {Word(survey.Statement)}), {Text(survey.Standing)}"
                    : "not final";
                Line(text, $"survey {survey.Survey}: {survey.Ballots} ballots recounted, {ending}");
            }

            foreach (var note in _notes) Line(text, $"note: {note}");
        }

        var findings = Findings;
        foreach (var finding in findings.Skip(1)) Line(text, $"also: {finding}");
        if (findings.Count > 0) Line(text, $"BROKEN: {findings[0]}");
        else Line(text, $"Verified {entries} entries in {took.TotalSeconds:F1} s.");
        return text.ToString();
    }

    private static void Line(StringBuilder text, FormattableString line) =>
        text.AppendLine(line.ToString(CultureInfo.InvariantCulture));

    /// <returns>The report for programs: one JSON object on one line.</returns>
    public string ToJson(TimeSpan took, long entries)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteBoolean("verified"u8, Holds);
            json.WriteString("mode"u8, mode);
            json.WriteNumber("entries"u8, entries);
            json.WriteNumber("seconds"u8, Math.Round(took.TotalSeconds, 3));
            json.WriteNumber("entriesPerSecond"u8, Math.Round(entries / Math.Max(took.TotalSeconds, 0.001)));
            json.WritePropertyName("first"u8);
            Write(json, Findings.Count > 0 ? Findings[0] : null);
            json.WriteStartArray("findings"u8);
            foreach (var finding in Findings) Write(json, finding);
            json.WriteEndArray();
            lock (_lock)
            {
                json.WriteNumber("findingCount"u8, _findingCount);
                WriteKeys(json);
                WriteLogs(json);
                WriteVotes(json);
                json.WriteStartArray("notes"u8);
                foreach (var note in _notes) json.WriteStringValue(note);
                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static int Rank(string log) => log switch
    {
        LogName.Events => 0,
        LogName.Checkpoints => 2,
        "" => 3,
        _ => 1,
    };

    private static void Write(Utf8JsonWriter json, Finding? finding)
    {
        if (finding is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteString("log"u8, finding.Log);
        if (finding.Index is { } index) json.WriteNumber("index"u8, index);
        else json.WriteNull("index"u8);
        json.WriteString("key"u8, finding.Key);
        json.WriteString("problem"u8, finding.Problem);
        json.WriteString("detail"u8, finding.Detail);
        json.WriteEndObject();
    }

    private void WriteKeys(Utf8JsonWriter json)
    {
        json.WriteStartArray("keys"u8);
        foreach (var (origin, trust, keys) in _keys)
        {
            json.WriteStartObject();
            json.WriteString("origin"u8, origin);
            json.WriteString("trust"u8, Word(trust));
            json.WriteStartArray("vkeys"u8);
            foreach (var key in keys) json.WriteStringValue(key.ToString());
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WriteLogs(Utf8JsonWriter json)
    {
        json.WriteStartArray("logs"u8);
        foreach (var log in _logs.OrderBy(log => Rank(log.Name)).ThenBy(log => log.Name, StringComparer.Ordinal))
        {
            json.WriteStartObject();
            json.WriteString("log"u8, log.Name);
            json.WriteString("origin"u8, log.Origin);
            if (log.Checkpoints is { } count) json.WriteNumber("checkpoints"u8, count);
            json.WriteNumber("size"u8, log.Size);
            json.WriteString("root"u8, log.Root.Base64);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WriteVotes(Utf8JsonWriter json)
    {
        if (_votes is not { } votes) return;
        json.WriteStartObject("votes"u8);
        json.WriteNumber("records"u8, votes.Records);
        json.WriteNumber("counted"u8, votes.Counted);
        json.WriteNumber("held"u8, votes.Held);
        json.WriteNumber("rejected"u8, votes.Rejected);
        json.WriteNumber("repeated"u8, votes.Repeated);
        json.WriteNumber("fences"u8, votes.Fences);
        json.WriteNumber("setAside"u8, votes.SetAside);
        json.WriteNumber("pending"u8, votes.Pending);
        json.WriteEndObject();
        json.WriteStartArray("surveys"u8);
        foreach (var survey in _surveys.OrderBy(survey => survey.Survey))
        {
            json.WriteStartObject();
            json.WriteString("survey"u8, survey.Survey.ToString(CultureInfo.InvariantCulture));
            json.WriteNumber("ballots"u8, survey.Ballots);
            json.WriteBoolean("final"u8, survey.IsFinal);
            json.WriteString("statement"u8, Word(survey.Statement));
            json.WriteString("stated"u8, Word(survey.Standing));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Word(StatementCheck check) => check switch
    {
        StatementCheck.Verified => "verified",
        StatementCheck.NotChecked => "not-checked",
        _ => "none",
    };

    private static string Word(ResultStanding standing) => standing switch
    {
        ResultStanding.Stated => "verified",
        ResultStanding.NotYetStated => "not-yet",
        ResultStanding.Broken => "broken",
        _ => "none",
    };

    private static string Text(ResultStanding standing) => standing switch
    {
        ResultStanding.Stated => "as stated with its checkpoints",
        ResultStanding.Broken => "its statement does not hold",
        _ => "not yet stated",
    };

    private static string Word(KeyTrust trust) => trust switch
    {
        KeyTrust.Given => "given",
        KeyTrust.Remembered => "remembered",
        _ => "first-use",
    };
}
