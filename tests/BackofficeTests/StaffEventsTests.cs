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

    private static readonly EventStamp ByManager = Stamp with { Actor = new("operator-manager", StaffRole.Manager) };

    private static readonly Dictionary<string, Func<OutboxEvent>> Events = new()
    {
        ["staff.token-issued"] = () => StaffEvents.TokenIssued(
            Stamp, "operator-auditor", StaffRole.Auditor, At.AddHours(12)),
        ["staff.refused"] = () => TellRefusals.Refused(
            ByManager, "DELETE", "/v1/internal/surveys/{id}", "7", 409),
    };

    public static TheoryData<string> Names => [.. Events.Keys];

    private static string Folder => Path.Combine(Repository.Root, "tests", "BackofficeTests", "Events");

    [Theory]
    [MemberData(nameof(Names))]
    public void An_events_bytes_are_those_of_the_golden_file(string name) => Assert.Equal(
        File.ReadAllText(Path.Combine(Folder, $"{name}.golden")), Encoding.UTF8.GetString(Events[name]().Bytes));

    [Theory]
    [InlineData("DELETE", 409, true)]
    [InlineData("PUT", 422, true)]
    [InlineData("GET", 403, true)]
    [InlineData("GET", 409, false)]
    [InlineData("PUT", 400, false)]
    [InlineData("PUT", 404, false)]
    [InlineData("PUT", 200, false)]
    public void What_was_asked_for_in_earnest_and_refused_is_told(string method, int status, bool isTold) =>
        Assert.Equal(isTold, TellRefusals.Matters(method, status));

    [Theory]
    [InlineData("/v1/internal/voters/{id}", "EBESExQVFhcYGRobHB0eHw")]
    [InlineData("/v1/internal/voters/{id}", "7")]
    [InlineData("/v1/internal/surveys/{id}", "EBESExQVFhcYGRobHB0eHw")]
    public void Only_a_surveys_id_is_told_of_an_address(string route, string id) => Assert.DoesNotContain(
        $"\"{id}\"", Encoding.UTF8.GetString(TellRefusals.Refused(ByManager, "PUT", route, id, 403).Bytes),
        StringComparison.Ordinal);

    [Fact]
    public void Every_golden_file_belongs_to_an_event() => Assert.Equal(
        Events.Keys.Order(), Directory.GetFiles(Folder, "*.golden").Select(Path.GetFileNameWithoutExtension).Order());
}
