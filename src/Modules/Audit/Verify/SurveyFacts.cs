using System.Globalization;
using System.Text.Json;

namespace Audit;

/// <summary>A result as it was signed.</summary>
/// <param name="Survey">Of which survey.</param>
/// <param name="Version">Of the live tally that it is.</param>
/// <param name="Ballots">How many were counted.</param>
/// <param name="Votes">By option.</param>
/// <param name="Fences">By partition, the offset behind which nothing counts.</param>
/// <param name="Statement">The compact JWS.</param>
/// <param name="Index">The entry that says it.</param>
/// <param name="Key">The object that holds the entry.</param>
internal sealed record SignedResult(
    int Survey, long Version, long Ballots, Dictionary<int, long> Votes, Dictionary<int, long> Fences,
    string Statement, long Index, string Key);

/// <summary>
/// What the log of events says of surveys: what each takes, how it ended, and which records operators settled. Filled
/// by one thread; read by many once that is done.
/// </summary>
internal sealed class SurveyFacts
{
    private readonly Dictionary<int, (SurveyRules Rules, Digest Event)> _published = [];
    private readonly Dictionary<int, (SignedResult Signed, Digest Event)> _results = [];
    private readonly HashSet<(int Survey, long Index, Digest Event)> _ends = [];
    private readonly Dictionary<(int Partition, long Offset), long> _dismissed = [];

    /// <summary>Every signed result, by survey.</summary>
    public IEnumerable<SignedResult> Results => _results.OrderBy(pair => pair.Key).Select(pair => pair.Value.Signed);

    /// <returns>Null when the archive does not hold the survey's publication.</returns>
    public SurveyRules? Rules(int survey) => _published.TryGetValue(survey, out var found) ? found.Rules : null;

    /// <returns>Null when the survey is not final.</returns>
    public SignedResult? Final(int survey) => _results.TryGetValue(survey, out var found) ? found.Signed : null;

    /// <summary>Whether an entry is the survey's end. It may stand several times, alike.</summary>
    public bool IsEnd(int survey, long index, in Digest entry) => _ends.Contains((survey, index, entry));

    /// <summary>Whether an operator settled that a record of <c>votes</c> is no vote.</summary>
    public bool IsDismissed(int partition, long offset) => _dismissed.ContainsKey((partition, offset));

    /// <summary>Takes an entry of the log of events.</summary>
    /// <exception cref="BrokenEvidenceException">It contradicts an earlier one, or nobody can read it.</exception>
    public void Take(in ArchivedEntry entry)
    {
        var kind = KindOf(entry.Event);
        if (kind is Kind.Other) return;
        try
        {
            using var json = JsonDocument.Parse(entry.Event.ToArray());
            var data = json.RootElement.GetProperty("data");
            switch (kind)
            {
                case Kind.Published: Publish(data, entry); break;
                case Kind.Finalized: Finish(data, entry); break;
                default:
                    _dismissed.TryAdd(
                        (data.GetProperty("partition").GetInt32(), data.GetProperty("offset").GetInt64()), entry.Index);
                    break;
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or OverflowException
            or InvalidOperationException or ArgumentException)
        {
            throw new BrokenEvidenceException(entry.Finding(
                Problems.Unreadable, "The event is of a known type and cannot be read."));
        }
    }

    private void Publish(JsonElement data, in ArchivedEntry entry)
    {
        var survey = Id(data.GetProperty("survey").GetString()!);
        // The outbox may send an event again: then it is the same event.
        if (!_published.TryAdd(survey, (SurveyRules.Of(data), entry.Digest))
            && _published[survey].Event != entry.Digest)
        {
            throw new BrokenEvidenceException(entry.Finding(
                Problems.FinalResult, $"Survey {survey} was published before, with other content."));
        }
    }

    private void Finish(JsonElement data, in ArchivedEntry entry)
    {
        var survey = Id(data.GetProperty("survey").GetString()!);
        var result = new SignedResult(
            survey, data.GetProperty("version").GetInt64(), data.GetProperty("ballots").GetInt64(),
            data.GetProperty("votes").EnumerateObject()
                .ToDictionary(vote => Id(vote.Name), vote => vote.Value.GetInt64()),
            data.GetProperty("fences").EnumerateArray().ToDictionary(
                fence => fence.GetProperty("partition").GetInt32(), fence => fence.GetProperty("offset").GetInt64()),
            data.GetProperty("statement").GetString()!, entry.Index, entry.Key);
        if (!_results.TryAdd(survey, (result, entry.Digest)) && _results[survey].Event != entry.Digest)
        {
            throw new BrokenEvidenceException(entry.Finding(
                Problems.FinalResult, $"Survey {survey} had a final result before, and this is another one."));
        }

        _ends.Add((survey, entry.Index, entry.Digest));
    }

    private static Kind KindOf(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var json = new EventReader(bytes);
            json.Take(JsonTokenType.StartObject);
            json.Text("specversion"u8, "1.0"u8);
            json.Text("type"u8);
            return json.IsText("survey.published"u8) ? Kind.Published
                : json.IsText("survey.finalized"u8) ? Kind.Finalized
                : json.IsText("staff.poison-dismissed"u8) ? Kind.Dismissed : Kind.Other;
        }
        catch (JsonException)
        {
            // Archived as it came; nothing is claimed of it.
            return Kind.Other;
        }
    }

    private static int Id(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private enum Kind
    {
        Other,
        Published,
        Finalized,
        Dismissed,
    }
}
