namespace Audit;

/// <summary>What a segment adds of one survey.</summary>
internal struct SurveyCount
{
    public long Submitted;
    public long Counted;
    public long Held;
    public long Rejected;
    public long Repeated;
}

/// <summary>A survey's end as the archive has it.</summary>
/// <param name="Survey">Its id.</param>
/// <param name="Log">The log that has the event.</param>
/// <param name="Index">Its place there.</param>
/// <param name="Entry">Its digest.</param>
/// <param name="Event">Its bytes.</param>
internal sealed record FinalSurvey(int Survey, string Log, long Index, Digest Entry, byte[] Event);

/// <summary>What the index takes from one segment.</summary>
internal sealed class SegmentFacts
{
    private const string FinalType = "survey.finalized";

    // No table of a month is made for what a record claims beyond that.
    private static readonly TimeSpan AgeMax = TimeSpan.FromDays(3_660);
    private static readonly TimeSpan AheadMax = TimeSpan.FromDays(1);

    private readonly List<ArchivedEvent> _events = [];
    private readonly List<FinalSurvey> _finals = [];
    private readonly Dictionary<int, SurveyCount> _counts = [];

    private SegmentFacts(long outcomeOffset) => OutcomeOffset = outcomeOffset;

    /// <summary>In the segment's order.</summary>
    public IReadOnlyList<ArchivedEvent> Events => _events;

    /// <summary>Surveys that ended.</summary>
    public IReadOnlyList<FinalSurvey> Finals => _finals;

    /// <summary>By survey.</summary>
    public IReadOnlyDictionary<int, SurveyCount> Counts => _counts;

    /// <summary>The highest offset of a vote whose outcome was seen, here or before.</summary>
    public long OutcomeOffset { get; private set; }

    /// <exception cref="InvalidDataException">The object is no segment.</exception>
    public static SegmentFacts Read(UnindexedSegment segment, byte[] content)
    {
        var facts = new SegmentFacts(segment.OutcomeOffset);
        using var reader = new SegmentReader(content);
        while (reader.TryRead(out var entry)) facts.Add(segment, entry);
        return facts;
    }

    private void Add(UnindexedSegment segment, in SegmentEntry entry)
    {
        var facts = EventFacts.Of(entry.Event.Span);
        var time = facts.Time is { } said && said > segment.SealedAt - AgeMax && said < segment.SealedAt + AheadMax
            ? said : segment.SealedAt;
        var one = new ArchivedEvent(
            segment.Log, entry.Index, time, facts.Type, facts.Survey, facts.Vote, facts.VoterKey, facts.Actor,
            entry.Source.Topic, entry.Source.Partition ?? 0, entry.Offset, entry.Entry);
        _events.Add(one);
        if (facts.Survey is not { } survey) return;
        if (segment.Log == SealedLogs.EventsName)
        {
            if (facts.Type == FinalType)
                _finals.Add(new(survey, one.Log, one.Index, one.Entry, entry.Event.ToArray()));
        }
        else
        {
            Count(survey, facts);
        }
    }

    private void Count(int survey, in EventFacts facts)
    {
        var count = _counts.GetValueOrDefault(survey);
        switch (facts.Type)
        {
            case "vote.submitted": count.Submitted++; break;
            // Outcomes are said again after a crash, all of them from some offset on.
            case var _ when facts.OutcomeOf is not { } offset || offset <= OutcomeOffset: return;
            case "vote.counted": count.Counted++; break;
            case "vote.held": count.Held++; break;
            case "vote.rejected": count.Rejected++; break;
            case "vote.repeated": count.Repeated++; break;
            default: return;
        }

        if (facts.Type != "vote.submitted") OutcomeOffset = facts.OutcomeOf!.Value;
        _counts[survey] = count;
    }
}
