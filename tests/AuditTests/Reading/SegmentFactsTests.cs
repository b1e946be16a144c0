using System.Text;
using Audit;

namespace AuditTests;

/// <summary>What the index takes from a segment.</summary>
public sealed class SegmentFactsTests
{
    private static readonly DateTimeOffset SealedAt = new(2026, 1, 15, 10, 30, 0, TimeSpan.Zero);
    private static readonly EntrySource Votes = new("votes", 3);
    private static readonly EntrySource Outcomes = new("vote-outcomes", 3);

    [Fact]
    public void Votes_and_outcomes_are_counted_and_outcomes_that_are_said_again_are_not()
    {
        var facts = Read("votes-03", outcomeOffset: 4,
            (Votes, 5, Event("vote.submitted", 7)), (Votes, 6, Event("vote.submitted", 7)),
            (Votes, 7, Event("survey.closed", 7)), (Votes, 8, Event("vote.submitted", 8)),
            (Outcomes, 0, Event("vote.counted", 7, outcomeOf: 4)),
            (Outcomes, 1, Event("vote.counted", 7, outcomeOf: 5)),
            (Outcomes, 2, Event("vote.rejected", 7, outcomeOf: 6)),
            (Outcomes, 3, Event("vote.counted", 7, outcomeOf: 5)),
            (Outcomes, 4, Event("vote.repeated", 8, outcomeOf: 8)), (Outcomes, 5, Event("vote.held", 8, outcomeOf: 9)));

        Assert.Equal(10, facts.Events.Count);
        Assert.Equal(9, facts.OutcomeOffset);
        Assert.Equal((2, 1, 0, 1, 0), Told(facts.Counts[7]));
        Assert.Equal((1, 0, 1, 0, 1), Told(facts.Counts[8]));

        static (long, long, long, long, long) Told(SurveyCount count) =>
            (count.Submitted, count.Counted, count.Held, count.Rejected, count.Repeated);
    }

    [Fact]
    public void Each_event_stands_with_its_place_and_its_digest()
    {
        var facts = Read(
            "votes-03", outcomeOffset: -1, (Votes, 5, "no event"), (Outcomes, 9, Event("vote.counted", 7, 5)));

        Assert.Equal(
            [("votes-03", 100, "unreadable", "votes", 3, 5), ("votes-03", 101, "vote.counted", "vote-outcomes", 3, 9)],
            facts.Events.Select(one => (one.Log, one.Index, one.Type, one.Topic, one.Partition, one.Offset)));
        Assert.Equal(Digest.Of("no event"u8), facts.Events[0].Entry);
        Assert.Equal(SealedAt, facts.Events[0].Time);
    }

    [Theory]
    [InlineData("2016-01-15T10:30:00.000Z", true)]
    [InlineData("2016-01-01T10:30:00.000Z", false)]
    [InlineData("2026-01-16T10:00:00.000Z", true)]
    [InlineData("2026-01-17T10:30:00.000Z", false)]
    [InlineData("9999-01-01T00:00:00.000Z", false)]
    public void A_time_that_cannot_be_is_not_taken(string time, bool isTaken)
    {
        var facts = Read("events", -1, (new("domain-events", 1), 5, Event("survey.created", 7).Replace(
            "2026-01-15T10:29:59.000Z", time, StringComparison.Ordinal)));

        Assert.Equal(
            isTaken ? DateTimeOffset.Parse(time, System.Globalization.CultureInfo.InvariantCulture) : SealedAt,
            Assert.Single(facts.Events).Time);
    }

    [Fact]
    public void A_surveys_end_is_taken_from_the_log_of_events_only()
    {
        var end = Event("survey.finalized", 7);

        Assert.Empty(Read("votes-03", -1, (Votes, 1, end)).Finals);
        var final = Assert.Single(Read("events", -1, (new("domain-events", 1), 1, end)).Finals);
        Assert.Equal((7, "events", 100), (final.Survey, final.Log, final.Index));
        Assert.Equal(end, Encoding.UTF8.GetString(final.Event));
    }

    private static string Event(string type, int survey, long? outcomeOf = null) =>
        $$$"""{"type":"{{{type}}}","time":"2026-01-15T10:29:59.000Z","data":{"survey":"{{{survey}}}"{{{(
            outcomeOf is { } offset ? $",\"offset\":{offset}" : "")}}}}}""";

    private static SegmentFacts Read(
        string log, long outcomeOffset, params (EntrySource Source, long Offset, string Event)[] events)
    {
        using var writer = new SegmentWriter(100, default);
        foreach (var (source, offset, one) in events) writer.Add(source, offset, Encoding.UTF8.GetBytes(one));
        var segment = new UnindexedSegment(log, 2, new("key", "version", default), SealedAt, outcomeOffset);
        return SegmentFacts.Read(segment, writer.Finish().ToArray());
    }
}
