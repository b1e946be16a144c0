using System.Globalization;
using System.Text.Json;

namespace Demo;

/// <summary>How many ballots there are, and how often each option was chosen.</summary>
/// <param name="Ballots">Counted ballots.</param>
/// <param name="Votes">By option id; an option that is not there has none.</param>
internal sealed record Tally(long Ballots, IReadOnlyDictionary<string, long> Votes)
{
    /// <summary>Reads results, or an event of the stream: both name these members alike.</summary>
    /// <exception cref="BrokenOffException">They are not what the contract says.</exception>
    public static Tally Of(JsonElement results)
    {
        try
        {
            var votes = new Dictionary<string, long>(StringComparer.Ordinal);
            foreach (var question in results.GetProperty("questions").EnumerateArray())
            {
                foreach (var option in question.GetProperty("options").EnumerateArray())
                    votes.Add(option.GetProperty("id").GetString()!, option.GetProperty("votes").GetInt64());
            }

            return new(results.GetProperty("totalResponses").GetInt64(), votes);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException
            or FormatException)
        {
            throw new BrokenOffException($"Results cannot be read: {e.Message}");
        }
    }

    /// <returns>The tally of these ballots, added up here and nowhere else.</returns>
    public static Tally Of(IEnumerable<BallotPaper> ballots)
    {
        var votes = new Dictionary<string, long>(StringComparer.Ordinal);
        var count = 0L;
        foreach (var ballot in ballots)
        {
            count++;
            foreach (var option in ballot.Options) votes[option] = votes.GetValueOrDefault(option) + 1;
        }

        return new(count, votes);
    }

    /// <summary>How often this option was chosen.</summary>
    public long VotesOf(string option) => Votes.GetValueOrDefault(option);

    /// <returns>In what they differ, in one line; null when they do not.</returns>
    public string? DiffersFrom(Tally other)
    {
        var differences = Votes.Keys.Union(other.Votes.Keys, StringComparer.Ordinal)
            .Where(option => VotesOf(option) != other.VotesOf(option))
            .Select(option => $"option {option}: {VotesOf(option)} and {other.VotesOf(option)}")
            .Prepend(Ballots != other.Ballots ? string.Create(
                CultureInfo.InvariantCulture, $"ballots: {Ballots} and {other.Ballots}") : null)
            .OfType<string>().ToList();
        return differences.Count == 0 ? null : string.Join("; ", differences.Take(5));
    }
}
