using System.Text;
using Backoffice;
using Platform;
using Testing;

namespace BackofficeTests;

/// <summary>
/// The form of what the log tells of staff is frozen: archives hold the digests of these bytes for years. A change here
/// is a new kind of event, never another golden file.
/// </summary>
public sealed class StaffEventsTests
{
    private static readonly DateTimeOffset At = new(2026, 1, 15, 10, 30, 0, 123, TimeSpan.Zero);
    private static readonly EventStamp Stamp = new("AAECAwQFBgcICQoLDA0ODw", At, EventActor.Operator);

    private static readonly Dictionary<string, Func<OutboxEvent>> Events = new()
    {
        ["staff.token-issued"] = () => StaffEvents.TokenIssued(
            Stamp, "operator-auditor", StaffRole.Auditor, At.AddHours(12)),
    };

    public static TheoryData<string> Names => [.. Events.Keys];

    private static string Folder => Path.Combine(Repository.Root, "tests", "BackofficeTests", "Events");

    [Theory]
    [MemberData(nameof(Names))]
    public void An_events_bytes_are_those_of_the_golden_file(string name) => Assert.Equal(
        File.ReadAllText(Path.Combine(Folder, $"{name}.golden")), Encoding.UTF8.GetString(Events[name]().Bytes));

    [Fact]
    public void Every_golden_file_belongs_to_an_event() => Assert.Equal(
        Events.Keys.Order(), Directory.GetFiles(Folder, "*.golden").Select(Path.GetFileNameWithoutExtension).Order());
}
