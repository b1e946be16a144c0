using Voting.Contracts;

namespace Audit;

/// <summary>What the archive gives of one survey in one log. Not thread safe.</summary>
internal sealed class SurveyFigures
{
    public long Submitted { get; set; }
    public long Counted { get; set; }
    public long Held { get; set; }
    public long Rejected { get; set; }
    public long Repeated { get; set; }

    /// <summary>Submitted, and settled without an outcome: set aside, or lost.</summary>
    public long SetAside { get; set; }

    /// <summary>Votes by option, without options that have none.</summary>
    public SortedDictionary<int, long> Votes { get; } = [];

    /// <summary>Adds votes to their surveys' figures.</summary>
    public static Dictionary<int, SurveyFigures> Of(IEnumerable<JudgedVote> votes)
    {
        var surveys = new Dictionary<int, SurveyFigures>();
        foreach (var vote in votes)
        {
            if (vote.Record is not { Kind: JudgedKind.Vote } record) continue;
            if (!surveys.TryGetValue(record.Survey, out var figures)) surveys.Add(record.Survey, figures = new());
            figures.Add(record, vote.Outcome);
        }

        return surveys;
    }

    private void Add(JudgedRecord record, JudgedOutcome? outcome)
    {
        Submitted++;
        switch (outcome?.As)
        {
            case RecordedAs.Counted: Count(record.Words!); break;
            case RecordedAs.Held: Held++; break;
            case RecordedAs.Rejected: Rejected++; break;
            case RecordedAs.Repeated: Repeated++; break;
            default: SetAside++; break;
        }
    }

    private void Count(JudgedRecord.Ballot ballot)
    {
        Counted++;
        foreach (var option in ballot.Options) Votes[option] = Votes.GetValueOrDefault(option) + 1;
    }
}
