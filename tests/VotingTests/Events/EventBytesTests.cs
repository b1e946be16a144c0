using Testing;
using Voting;

namespace VotingTests;

/// <summary>
/// The form of events is frozen: receipts promise the digests of these bytes for years. A change here is a new kind of
/// event, never another golden file.
/// </summary>
public sealed class EventBytesTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly EventMac Mac = new([Key]);
    private static readonly DateTimeOffset At = new(2026, 1, 15, 10, 30, 0, 123, TimeSpan.Zero);
    private static readonly Key16 VoterKey = Key16.Of([.. Enumerable.Range(1, 16).Select(i => (byte)i)]);
    private static readonly Key16 VoteId = Key16.Of([0, 3, .. Enumerable.Range(161, 14).Select(i => (byte)i)]);
    private static readonly Key16 Salt = Key16.Of([.. Enumerable.Range(32, 16).Select(i => (byte)i)]);

    private static readonly Dictionary<string, Func<byte[]>> Events = new()
    {
        ["vote.submitted"] = () => Vote(new Answer(11, [101, 102], null)),
        ["vote.submitted.text"] = () =>
            Vote(new(11, [103], null), new(12, [], "Ünï \"quoted\" \\ <b>&'+\u65e5\u672c\ud83d\ude00\n")),
        ["survey.closed"] = () => new SurveyClosed(7, 3, At).ToBytes(Mac),
        ["vote.replayed"] = () => new VoteReplayed(3, 42, At, Vote(new Answer(11, [101, 102], null))).ToBytes(Mac),
        ["vote.counted"] = () => Outcome(OutcomeKind.Counted, previous: -1),
        ["vote.held"] = () => Outcome(OutcomeKind.Held),
        ["vote.rejected"] = () => Outcome(OutcomeKind.Rejected, RejectionReason.AfterClose),
        ["vote.repeated"] = () => Outcome(OutcomeKind.Repeated),
    };

    public static TheoryData<string> Names => [.. Events.Keys];

    public static TheoryData<string> Sealed =>
        ["vote.submitted", "vote.submitted.text", "vote.replayed", "survey.closed"];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_events_bytes_are_those_of_the_golden_file(string name) => Assert.Equal(Golden(name), Events[name]());

    [Fact]
    public void Every_golden_file_belongs_to_an_event() => Assert.Equal(
        Events.Keys.Order(), Directory.GetFiles(Folder, "*.golden").Select(Path.GetFileNameWithoutExtension).Order());

    [Fact]
    public void A_golden_vote_is_read_as_what_was_submitted()
    {
        var record = Assert.IsType<VoteRecord.Submitted>(VoteRecords.Read(Golden("vote.submitted.text"), Mac));
        var vote = record.Vote;
        Assert.Equal(
            (7, VoterKey, VoteId, Salt, At), (vote.Survey, vote.VoterKey, vote.VoteId, vote.Salt, vote.AcceptedAt));
        Assert.Equal(Golden("vote.submitted.text"), vote.ToBytes(Mac));
        var fence = Assert.IsType<VoteRecord.Closed>(VoteRecords.Read(Golden("survey.closed"), Mac));
        Assert.Equal(new SurveyClosed(7, 3, At), fence.Fence);
        var replay = Assert.IsType<VoteRecord.Replayed>(VoteRecords.Read(Golden("vote.replayed"), Mac));
        Assert.Equal((3, 42, VoteId), (replay.Partition, replay.Offset, replay.Vote.VoteId));
        Assert.Equal(Golden("vote.submitted"), replay.Event);
    }

    [Theory]
    [InlineData("survey.closed")]
    [InlineData("vote.counted")]
    [InlineData("vote.replayed")]
    public void A_replay_of_what_is_no_vote_is_poison(string name) => Assert.IsType<VoteRecord.Poison>(
        VoteRecords.Read(new VoteReplayed(3, 42, At, Golden(name)).ToBytes(Mac), Mac));

    [Theory]
    [MemberData(nameof(Sealed))]
    public void An_event_with_any_bit_changed_is_not_genuine(string name)
    {
        var bytes = Golden(name);
        Assert.True(Mac.IsGenuine(bytes));
        for (var bit = 0; bit < 8 * bytes.Length; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.False(Mac.IsGenuine(bytes), $"Byte {bit / 8} of {bytes.Length} became {(char)bytes[bit / 8]}.");
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [Theory]
    [MemberData(nameof(Sealed))]
    public void An_event_with_a_byte_more_or_less_is_not_genuine(string name)
    {
        var bytes = Golden(name);
        for (var at = 0; at <= bytes.Length; at++)
        {
            foreach (var more in " \n\"}A"u8)
                Assert.False(Mac.IsGenuine([.. bytes[..at], more, .. bytes[at..]]), $"{(char)more} put in at {at}.");
            if (at < bytes.Length)
                Assert.False(Mac.IsGenuine([.. bytes[..at], .. bytes[(at + 1)..]]), $"Cut out at {at}.");
            Assert.Equal(at == bytes.Length, Mac.IsGenuine(bytes.AsSpan(0, at)));
        }
    }

    [Theory]
    [MemberData(nameof(Sealed))]
    public void An_event_under_another_key_is_poison(string name)
    {
        Assert.False(new EventMac([new byte[32]]).IsGenuine(Golden(name)));
        Assert.True(new EventMac([new byte[32], Key]).IsGenuine(Golden(name)));
        Assert.IsType<VoteRecord.Poison>(VoteRecords.Read(Golden(name), new EventMac([new byte[32]])));
    }

    private static string Folder => Path.Combine(Repository.Root, "tests", "VotingTests", "Events");

    private static byte[] Golden(string name) => File.ReadAllBytes(Path.Combine(Folder, $"{name}.golden"));

    private static byte[] Vote(params Answer[] answers) =>
        new VoteSubmitted(7, VoterKey, VoteId, Salt, At, new Ballot(answers).Answers).ToBytes(Mac);

    private static byte[] Outcome(OutcomeKind kind, string? reason = null, long previous = 41) =>
        new Outcome(kind, 7, VoteId, VoterKey, 3, 42, previous, At, reason).ToBytes();
}
