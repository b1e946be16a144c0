using System.Text;
using Audit;
using Platform;

namespace AuditTests;

/// <summary>What the audit module tells is sealed for years: its bytes are these for good.</summary>
public sealed class AuditEventBytesTests
{
    private const string Head = """
        "id":"AAAA","time":"2026-05-01T12:00:00.000Z","actor":"a","actorrole":"system",
        "datacontenttype":"application/json"
        """;

    private static readonly EventStamp Stamp =
        new("AAAA", new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero), EventActor.System("a"));

    [Fact]
    public void Differences() => Assert.Equal(
        $$$"""
        {"specversion":"1.0","type":"audit.difference-found","source":"/audit/reconciliation",
        "subject":"log/votes-07",
        {{{Head}}},"data":{"kind":"row-altered","partition":7,"survey":"12","offset":34,"detail":"So."}}
        """,
        Text(AuditEvents.DifferenceFound(Stamp, "votes-07", new(DifferenceKinds.RowAltered, 12, 34, "So."))));

    [Fact]
    public void Tallies_that_are_right_again() => Assert.Equal(
        $$$"""
        {"specversion":"1.0","type":"audit.difference-resolved","source":"/audit/reconciliation",
        "subject":"log/votes-07",
        {{{Head}}},"data":{"kind":"tally-altered","partition":7,"survey":"12","detail":"So."}}
        """,
        Text(AuditEvents.DifferenceResolved(Stamp, "votes-07", new(DifferenceKinds.TallyAltered, 12, null, "So."))));

    [Fact]
    public void Checkpoints_that_do_not_verify() => Assert.Equal(
        $$$"""
        {"specversion":"1.0","type":"audit.verification-failed","source":"/audit/verification",
        "subject":"log/events",
        {{{Head}}},"data":{"problem":"root","log":"events","checkpoint":3,"detail":"So."}}
        """,
        Text(AuditEvents.VerificationFailed(Stamp, "events", new(Problems.Root, null, 3, "So."))));

    [Fact]
    public void Keys_of_logs()
    {
        var key = Signers.Log("voting.test/events").Verifier;
        Assert.Equal(
            $$$"""
            {"specversion":"1.0","type":"staff.log-key-added","source":"/audit/log-keys",
            "subject":"log/events",
            {{{Head}}},"data":{"log":"events","key":"{{{key}}}"}}
            """,
            Text(AuditEvents.LogKeyAdded(Stamp, "events", key)));
        Assert.Equal(
            $$$"""
            {"specversion":"1.0","type":"staff.log-key-retired","source":"/audit/log-keys",
            "subject":"log/events",
            {{{Head}}},"data":{"log":"events","key":"{{{key}}}","lastCheckpoint":7}}
            """,
            Text(AuditEvents.LogKeyRetired(Stamp, "events", key, 7)));
    }

    [Fact]
    public void Searches() => Assert.Equal(
        $$$"""
        {"specversion":"1.0","type":"staff.events-searched","source":"/audit/events",
        "subject":"staff/a",
        {{{Head}}},"data":{"searched":{"voterKey":"AAAAAAAAAAAAAAAAAAAAAA","survey":"12",
        "from":"2026-05-01T12:00:00.000Z"},
        "firstPage":true}}
        """,
        Text(TellSearches.Compose(
            "staff.events-searched", Stamp, new(null, new byte[16], 12, null, null, Stamp.At, null),
            json => json.WriteBoolean("firstPage"u8, true))));

    /// <returns>The event, broken into lines as it stands above.</returns>
    private static string Text(OutboxEvent told)
    {
        var text = Encoding.UTF8.GetString(told.Bytes);
        string[] begins = ["subject", "id", "datacontenttype", "from", "firstPage"];
        return begins.Aggregate(text, (all, begin) =>
            all.Replace($",\"{begin}\":", $",\n\"{begin}\":", StringComparison.Ordinal));
    }
}
