using System.Globalization;
using System.Text.Json;
using Voting.Contracts;

namespace Audit;

/// <summary>Holds one survey's final result against its archived end. Pure.</summary>
internal static class FinalComparison
{
    /// <param name="end">The archived end.</param>
    /// <param name="stored">What everybody is shown; null where there is none.</param>
    /// <param name="facts">What the end says; null where it cannot be read.</param>
    /// <returns>What is not as it was archived, in a sentence; null as a rule.</returns>
    public static string? Altered(FinalSurvey end, RecordedResult? stored, out FinalFacts? facts)
    {
        facts = null;
        if (Digest.Of(end.Event) != end.Entry) return "The end is kept otherwise than it was archived.";
        try
        {
            facts = FinalFacts.Of(end.Event);
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }

        if (stored is null) return "The survey's end is archived, and no final result is stored.";
        var altered = new List<string>();
        Require(stored.Statement == facts.Statement, "final_statement");
        Require(stored.Version == facts.Version, "final_version");
        Require(stored.Ballots == facts.Ballots, "final_ballots");
        Require(stored.Votes is { } votes && IsSame(votes, facts), "final_votes");
        Require(IsAt(end.Event, stored.FinalAt), "final_at");
        return altered.Count == 0
            ? null : $"The stored final result is not what was archived: {string.Join(", ", altered)}.";

        void Require(bool holds, string column)
        {
            if (!holds) altered.Add(column);
        }
    }

    /// <param name="facts">What the archived end says.</param>
    /// <param name="counted">What the archived ballots give, all of them.</param>
    /// <returns>What contradicts, in a sentence; null as a rule.</returns>
    public static string? Contradicted(FinalFacts facts, SurveyFigures counted)
    {
        if (counted.Counted != facts.Ballots)
            return $"The archive counts {counted.Counted} ballots, the archived result says {facts.Ballots}.";
        return facts.Gives(counted) ? null : "The archived ballots give other votes than the archived result.";
    }

    private static bool IsSame(string stored, FinalFacts facts)
    {
        try
        {
            using var json = JsonDocument.Parse(stored);
            var votes = json.RootElement.EnumerateObject().ToDictionary(
                vote => int.Parse(vote.Name, NumberStyles.None, CultureInfo.InvariantCulture),
                vote => vote.Value.GetInt64());
            return votes.Count == facts.Votes.Count
                && facts.Votes.All(vote => votes.TryGetValue(vote.Option, out var count) && count == vote.Count);
        }
        catch (Exception e) when (JudgedJson.IsOfForm(e) || e is OverflowException)
        {
            return false;
        }
    }

    /// <summary>Events say milliseconds, the database keeps more.</summary>
    private static bool IsAt(byte[] @event, DateTimeOffset? stored)
    {
        try
        {
            using var json = JsonDocument.Parse(@event);
            return stored is { } at
                && (at - JudgedJson.Time(json.RootElement.GetProperty("time"))).Duration() < TimeSpan.FromSeconds(1);
        }
        catch (Exception e) when (JudgedJson.IsOfForm(e))
        {
            return false;
        }
    }
}
