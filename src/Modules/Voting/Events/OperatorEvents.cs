using System.Globalization;
using System.Text.Json;
using Platform;

namespace Voting;

/// <summary>
/// What operators do to votes by hand, as it stands in <c>domain-events</c>: CloudEvents whose bytes are frozen by
/// golden files.
/// </summary>
internal static class OperatorEvents
{
    /// <summary>A record that was set aside is settled to be no vote.</summary>
    public static OutboxEvent PoisonDismissed(EventStamp stamp, int partition, long offset) =>
        Compose("staff.poison-dismissed", "/voting/poison", stamp, partition,
            json => json.WriteNumber("offset"u8, offset));

    /// <summary>A record that was set aside is to be counted after all.</summary>
    public static OutboxEvent PoisonReplayed(EventStamp stamp, int partition, long offset) =>
        Compose("staff.poison-replayed", "/voting/poison", stamp, partition,
            json => json.WriteNumber("offset"u8, offset));

    /// <summary>Tallies of a partition were corrected to what its rows give.</summary>
    public static OutboxEvent ResultsRebuilt(EventStamp stamp, int partition, IEnumerable<int> surveys) =>
        Compose("staff.results-rebuilt", "/voting/results", stamp, partition, json =>
        {
            json.WriteStartArray("surveys"u8);
            foreach (var survey in surveys.Order())
                json.WriteStringValue(survey.ToString(CultureInfo.InvariantCulture));
            json.WriteEndArray();
        });

    private static OutboxEvent Compose(
        string type, string source, EventStamp stamp, int partition, Action<Utf8JsonWriter> rest) =>
        OutboxEvent.Compose(type, source, string.Create(CultureInfo.InvariantCulture, $"partition/{partition}"), stamp,
            json =>
            {
                json.WriteNumber("partition"u8, partition);
                rest(json);
            });
}
