using System.Text.Json;
using Voting.Contracts;

namespace Audit;

/// <summary>Holds archived votes and what became of them against the rows. Pure.</summary>
internal static class CompareRows
{
    /// <param name="votes">Everything that the archive has of some offsets, by offset.</param>
    /// <param name="rows">Everything that is stored of the same offsets.</param>
    /// <returns>What does not agree; nothing as a rule.</returns>
    public static List<Difference> Find(IReadOnlyList<JudgedVote> votes, IEnumerable<RecordedVote> rows)
    {
        var stored = rows.ToLookup(row => row.Offset);
        var known = new HashSet<long>(votes.Count);
        var found = new List<Difference>();
        foreach (var vote in votes)
        {
            known.Add(vote.Offset);
            Compare(vote, [.. stored[vote.Offset]], found);
        }

        foreach (var row in stored.Where(row => !known.Contains(row.Key)).Select(row => row.First()))
        {
            found.Add(new(DifferenceKinds.RowUnknown, Survey(row.Survey), row.Offset,
                "A row is stored, and nothing was archived at its offset: nobody submitted it."));
        }

        return found;
    }

    private static void Compare(JudgedVote vote, RecordedVote[] rows, List<Difference> found)
    {
        var record = vote.Record;
        if (vote.Outcome is not { } outcome || record.Words is not { } words)
        {
            CompareUndecided(record, rows, found);
            return;
        }

        var decided = rows.Where(row => row.As is not RecordedAs.SetAside).ToArray();
        if (decided.Length == 0)
        {
            // Who reviews a vote says so by a later outcome.
            if (outcome.As is not RecordedAs.Held)
            {
                found.Add(new(DifferenceKinds.RowMissing, Survey(record.Survey), vote.Offset,
                    $"The vote was {Word(outcome.As)}, and it has no row."));
            }
        }
        else if (rows.Length > 1)
        {
            found.Add(new(DifferenceKinds.RowAltered, Survey(record.Survey), vote.Offset,
                "More than one row is stored of the vote."));
        }
        else if (Altered(record, words, outcome, decided[0]) is { Count: > 0 } altered)
        {
            found.Add(new(DifferenceKinds.RowAltered, Survey(record.Survey), vote.Offset,
                $"The row is not what was archived: {string.Join(", ", altered)}."));
        }
    }

    private static void CompareUndecided(JudgedRecord record, RecordedVote[] rows, List<Difference> found)
    {
        var setAside = rows.Where(row => row.As is RecordedAs.SetAside).ToArray();
        if (rows.Length > setAside.Length)
        {
            found.Add(record.Kind is JudgedKind.Fence
                ? new(DifferenceKinds.RowUnknown, Survey(rows[0].Survey), record.Offset,
                    "A vote's row is stored where the end of a survey was archived.")
                : new(DifferenceKinds.OutcomeMissing, Survey(record.Survey), record.Offset,
                    "The vote has a row, and no outcome was archived."));
        }
        else if (setAside.Length == 0 && record.Kind is not JudgedKind.Fence)
        {
            found.Add(new(DifferenceKinds.OutcomeMissing, Survey(record.Survey), record.Offset,
                "The record has neither row nor outcome."));
        }
        // A replay that was set aside lies there as a whole, and its digest here is of what it replays.
        else if (setAside.Length == 1 && record.Kind is not JudgedKind.Fence && !record.IsReplay
            && !setAside[0].Entry.Span.SequenceEqual(record.Entry.Span))
        {
            found.Add(new(DifferenceKinds.RowAltered, Survey(record.Survey), record.Offset,
                "The row is not what was archived: bytes."));
        }
    }

    private static List<string> Altered(
        JudgedRecord record, JudgedRecord.Ballot words, JudgedOutcome outcome, RecordedVote row)
    {
        var altered = new List<string>();
        Require(row.As == outcome.As, "kind");
        Require(row.Reason == outcome.Reason, "reason");
        Require(row.Survey == record.Survey, "survey");
        Require(row.VoterKey.Span.SequenceEqual(words.VoterKey), "voter_key");
        Require(row.VoteId.Span.SequenceEqual(words.VoteId), "vote_id");
        Require(row.Entry.Span.SequenceEqual(record.Entry.Span), "entry");
        Require(row.AcceptedAt == words.AcceptedAt, "accepted_at");
        Require(row.DecidedAt == outcome.DecidedAt, "decided_at");
        if (row.As is not RecordedAs.Counted) return altered;
        Require(row.Options is { } options && options.SequenceEqual(words.Options), "options");
        Require(IsSame(words.Texts, row.Texts), "texts");
        return altered;

        void Require(bool holds, string column)
        {
            if (!holds) altered.Add(column);
        }
    }

    private static bool IsSame(IReadOnlyDictionary<string, string> archived, string? stored)
    {
        if (stored is null) return archived.Count == 0;
        try
        {
            using var json = JsonDocument.Parse(stored);
            var count = 0;
            foreach (var text in json.RootElement.EnumerateObject())
            {
                count++;
                if (!archived.TryGetValue(text.Name, out var said) || text.Value.GetString() != said) return false;
            }

            return count == archived.Count;
        }
        catch (Exception e) when (JudgedJson.IsOfForm(e))
        {
            return false;
        }
    }

    private static int? Survey(int id) => id == 0 ? null : id;

    private static string Word(RecordedAs outcome) => outcome switch
    {
        RecordedAs.Counted => "counted",
        RecordedAs.Rejected => "rejected",
        RecordedAs.Repeated => "repeated",
        _ => "decided",
    };
}
