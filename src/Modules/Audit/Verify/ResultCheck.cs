using System.Globalization;
using System.Text.Json;

namespace Audit;

/// <summary>Compares signed results with what the archive gives when it is counted anew.</summary>
internal sealed class ResultCheck(ArchiveRead read, ResultKeys? keys, VerificationReport report)
{
    private const string StatementType = "survey-result+jwt";

    private static readonly RecountedSurvey Nothing = new();

    /// <param name="standings">By survey, of the archive's statements.</param>
    public void Check(IReadOnlyDictionary<int, ResultStanding> standings)
    {
        var (surveys, recounted) = (read.Surveys, read.Recounted);
        foreach (var result in surveys.Results)
        {
            var counted = recounted.GetValueOrDefault(result.Survey, Nothing);
            var wrong = Difference(result, counted) ?? Contradiction(result, keys);
            if (wrong is not null)
                report.Add(new Finding(LogName.Events, result.Index, result.Key, Problems.FinalResult, wrong));
            else
                report.Add(new RecountResult(result.Survey, counted.Ballots, true,
                    keys is null ? StatementCheck.NotChecked : StatementCheck.Verified, standings[result.Survey]));
        }

        foreach (var (survey, counted) in recounted.Where(pair => surveys.Final(pair.Key) is null))
        {
            report.Add(new RecountResult(
                survey, counted.Ballots, false, StatementCheck.None, ResultStanding.None));
            if (surveys.Rules(survey) is null)
                report.Note($"Survey {survey} has counted ballots, and its publication is not archived yet.");
        }

        if (keys is null && surveys.Results.Any())
            report.Note("Signatures of final results were not checked: give --jwks.");
    }

    private string? Difference(SignedResult result, RecountedSurvey counted)
    {
        var survey = result.Survey;
        if (read.Surveys.Rules(survey) is not { } rules) return $"Survey {survey} is final and was never published.";
        var missing = result.Fences.Keys.FirstOrDefault(partition => !read.Partitions.ContainsKey(partition), -1);
        if (missing >= 0)
            return $"Survey {survey} is final, and the archive has no {SealedLogs.NameOf(missing)} to recount it from.";
        if (result.Ballots != counted.Ballots)
            return $"Survey {survey} is signed with {result.Ballots} ballots; {counted.Ballots} are counted.";
        foreach (var option in rules.Options.Union(result.Votes.Keys).Union(counted.Votes.Keys).Order())
        {
            if (!result.Votes.TryGetValue(option, out var signed))
                return $"Survey {survey}: the result leaves out option {option}.";
            if (!rules.Options.Contains(option)) return $"Survey {survey}: the result has an option {option}.";
            if (signed != counted.Votes.GetValueOrDefault(option))
            {
                return $"Survey {survey}: option {option} is signed with {signed} votes; "
                    + $"{counted.Votes.GetValueOrDefault(option)} are counted.";
            }
        }

        return null;
    }

    /// <summary>The statement is what everybody gets to see: it says what the event says.</summary>
    /// <returns>Null when it does.</returns>
    public static string? Contradiction(SignedResult result, ResultKeys? keys)
    {
        if (!ResultKeys.TryVerify(result.Statement, StatementType, keys, out var payload, out var problem))
            return $"Survey {result.Survey}: the signed result does not hold. {problem}";
        try
        {
            using var json = JsonDocument.Parse(payload);
            var said = json.RootElement;
            var votes = said.GetProperty("votes").EnumerateObject().ToDictionary(
                vote => int.Parse(vote.Name, NumberStyles.None, CultureInfo.InvariantCulture),
                vote => vote.Value.GetInt64());
            var survey = result.Survey.ToString(CultureInfo.InvariantCulture);
            var isSame = said.GetProperty("survey_id").GetString() == survey
                && said.GetProperty("status").GetString() == "final"
                && said.GetProperty("version").GetInt64() == result.Version
                && said.GetProperty("total_responses").GetInt64() == result.Ballots
                && votes.Count == result.Votes.Count
                && votes.All(vote => result.Votes.TryGetValue(vote.Key, out var count) && count == vote.Value);
            return isSame ? null : $"Survey {result.Survey}: the signed result says something else than the event.";
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
            or FormatException or OverflowException or ArgumentException)
        {
            return $"Survey {result.Survey}: the signed result cannot be read.";
        }
    }
}
