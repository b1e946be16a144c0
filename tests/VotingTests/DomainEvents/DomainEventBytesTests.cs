using System.Text.Json.Nodes;
using Platform;
using Testing;
using Voting;
using Voting.Contracts;

namespace VotingTests;

/// <summary>
/// The form of what the log tells of surveys is frozen: archives hold the digests of these bytes for years. A change
/// here is a new kind of event, never another golden file.
/// </summary>
public sealed class DomainEventBytesTests
{
    private static readonly DateTimeOffset At = new(2026, 1, 15, 10, 30, 0, 123, TimeSpan.Zero);
    private static readonly EventStamp ByManager =
        new("AAECAwQFBgcICQoLDA0ODw", At, new("operator-manager", "manager"));

    private static readonly EventStamp BySchedule = ByManager with { Actor = EventActor.System("schedule") };
    private static readonly EventStamp ByOperator = ByManager with { Actor = EventActor.Operator };

    private static readonly SurveyView Survey = new(
        "7", "Ünï \"quoted\" \\ <b>&'+\u65e5\u672c\ud83d\ude00", "published", At, null, "live", 1, null, null, new(),
        [new("Who?", 1, 2, 0, [new("Homer", 0, null, "101"), new("Ned", 1, "https://example.com/ned.jpg", "102")],
            Id: "11")]);

    private static readonly SurveyView Restricted = Survey with
    {
        ResultsVisibility = "afterFinish",
        LiveBatchMin = 10,
        OpensAt = At.AddHours(1),
        ClosesAt = At.AddDays(1),
        Eligibility = new(false, ["BR", "PT"], 16, "members"),
        Questions = [new("Why?", 0, 1, 3, [new("So", 0, null, "103"), new("Not so", 1, null, "104")], true, "12")],
    };

    private static readonly FinalResult Result = new(
        "eyJh.eyJi.c2ln", 8123, 150, new Dictionary<int, long> { [102] = 65, [101] = 85, [9] = 0 }, At);

    private static readonly Dictionary<string, Func<OutboxEvent>> Events = new()
    {
        ["survey.created"] = () => SurveyEvents.Created(ByManager, Survey),
        ["survey.updated"] = () => SurveyEvents.Updated(ByManager, Restricted),
        ["survey.published"] = () => SurveyEvents.Published(BySchedule, Restricted),
        ["survey.finished"] = () => SurveyEvents.Finished(ByManager, 7, At),
        ["survey.deleted"] = () => SurveyEvents.Deleted(ByManager, 7),
        ["survey.finalized"] = () => SurveyEvents.Finalized(
            ByManager with { Actor = EventActor.System("closing") }, 7, Result,
            new Dictionary<int, long> { [1] = 90, [0] = 12 }),
        ["staff.poison-dismissed"] = () => OperatorEvents.PoisonDismissed(ByOperator, 3, 42),
        ["staff.poison-replayed"] = () => OperatorEvents.PoisonReplayed(ByOperator, 3, 42),
        ["staff.results-rebuilt"] = () => OperatorEvents.ResultsRebuilt(ByOperator, 3, [8, 7]),
    };

    public static TheoryData<string> Names => [.. Events.Keys];

    private static string Folder => Path.Combine(Repository.Root, "tests", "VotingTests", "DomainEvents");

    [Theory]
    [MemberData(nameof(Names))]
    public void An_events_bytes_are_those_of_the_golden_file(string name) => Assert.Equal(
        File.ReadAllText(Path.Combine(Folder, $"{name}.golden")),
        System.Text.Encoding.UTF8.GetString(Events[name]().Bytes));

    [Fact]
    public void Every_golden_file_belongs_to_an_event() => Assert.Equal(
        Events.Keys.Order(), Directory.GetFiles(Folder, "*.golden").Select(Path.GetFileNameWithoutExtension).Order());

    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_is_one_line_whose_subject_is_its_aggregate(string name)
    {
        var written = Events[name]();
        Assert.DoesNotContain((byte)'\n', written.Bytes);
        var json = JsonNode.Parse(written.Bytes)!;
        Assert.Equal(written.Aggregate, (string)json["subject"]!);
        Assert.Equal(name, (string)json["type"]!);
        Assert.Equal("1.0", (string)json["specversion"]!);
    }
}
