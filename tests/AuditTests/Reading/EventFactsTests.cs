using System.Text;
using Audit;

namespace AuditTests;

/// <summary>What the index takes from events, whatever they are.</summary>
public sealed class EventFactsTests
{
    private const string Key = "AAECAwQFBgcICQoLDA0ODw";
    private const string Other = "EBESExQVFhcYGRobHB0eHw";

    private static readonly DateTimeOffset At = new(2026, 1, 15, 10, 30, 0, 123, TimeSpan.Zero);

    private static readonly string Submitted = Head("vote.submitted", Key)
        + $$""","data":{"survey":"7","voterKey":"{{Other}}","salt":"{{Key}}","""
        + """ "answers":[{"survey":"8","voteId":"x"}]}"""
        + $$""","mac":"{{Key}}"}""";

    [Fact]
    public void A_vote_is_found_by_its_id_its_voter_and_its_survey()
    {
        var facts = Of(Submitted);

        Assert.Equal(("vote.submitted", At, 7, null, null),
            (facts.Type, facts.Time!.Value, facts.Survey, facts.Actor, facts.OutcomeOf));
        Assert.Equal((Key, Other), (Text(facts.Vote), Text(facts.VoterKey)));
    }

    [Fact]
    public void An_outcome_is_found_by_the_same()
    {
        var facts = Of(Head("vote.counted", "3-17")
            + $$""","data":{"survey":"7","voteId":"{{Key}}","voterKey":"{{Other}}","""
            + """ "partition":3,"offset":17,"previous":16}}""");

        Assert.Equal(("vote.counted", 7, 17), (facts.Type, facts.Survey, facts.OutcomeOf));
        Assert.Equal((Key, Other), (Text(facts.Vote), Text(facts.VoterKey)));
    }

    [Fact]
    public void What_is_replayed_is_found_as_what_it_replays()
    {
        var inner = Convert.ToBase64String(Encoding.UTF8.GetBytes(Submitted));
        var facts = Of(Head("vote.replayed", "replayed-3-17")
            + $$$""","data":{"partition":3,"offset":17,"event":"{{{inner}}}"},"mac":"{{{Key}}}"}""");

        Assert.Equal(("vote.replayed", 7), (facts.Type, facts.Survey));
        Assert.Equal((Key, Other), (Text(facts.Vote), Text(facts.VoterKey)));
    }

    [Fact]
    public void A_domain_event_is_found_by_who_did_it()
    {
        var facts = Of(Head("survey.created", Key).Replace(
            "\"datacontenttype\"", "\"actor\":\"anna\\u0000\",\"actorrole\":\"manager\",\"datacontenttype\"",
            StringComparison.Ordinal) + ""","data":{"survey":"7","questions":[{"id":"1","survey":"9"}]}}""");

        // The id of an event is no vote's.
        Assert.Equal(("survey.created", "anna\uFFFD", 7, null), (facts.Type, facts.Actor, facts.Survey, facts.Vote));
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"type\":7}")]
    [InlineData("{\"type\":\"\"}")]
    [InlineData("{\"type\":\"a\"")]
    [InlineData("{\"type\":\"a\"} {}")]
    [InlineData("{\"type\":\"\\ud800\"}")]
    public void What_is_no_event_is_found_as_that(string text)
    {
        var facts = Of(text);
        Assert.Equal((EventFacts.Unreadable, null, null), (facts.Type, facts.Survey, facts.Time));
    }

    [Fact]
    public void Spoilt_members_are_left_out_and_nothing_is_ever_thrown()
    {
        var facts = Of("""
            {"type":"vote.counted","time":"2026-13-40","id":"x","actor":"",
             "data":{"survey":"07","voteId":7,"voterKey":"==","offset":1e99,"event":"%"}}
            """);
        Assert.Equal(
            ("vote.counted", null, null, null, null, null, null),
            (facts.Type, facts.Time, facts.Survey, facts.Vote, facts.VoterKey, facts.Actor, facts.OutcomeOf));

        // Every beginning of an event, and every byte of it altered.
        var bytes = Encoding.UTF8.GetBytes(Submitted);
        for (var i = 0; i < bytes.Length; i++)
        {
            Assert.Equal(EventFacts.Unreadable, EventFacts.Of(bytes.AsSpan(0, i)).Type);
            foreach (byte altered in new byte[] { 0, 0x22, 0x5c, 0x7b, 0x80, 0xff })
            {
                var spoilt = bytes.ToArray();
                spoilt[i] = altered;
                _ = EventFacts.Of(spoilt);
            }
        }
    }

    private static EventFacts Of(string text) => EventFacts.Of(Encoding.UTF8.GetBytes(text));

    private static string Head(string type, string id) =>
        $$"""{"specversion":"1.0","type":"{{type}}","id":"{{id}}","time":"2026-01-15T10:30:00.123Z","""
        + """ "datacontenttype":"application/json" """;

    private static string? Text(byte[]? key) => key is null ? null : System.Buffers.Text.Base64Url.EncodeToString(key);
}
