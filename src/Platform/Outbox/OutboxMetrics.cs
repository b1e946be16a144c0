using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Platform;

/// <summary>How far an outbox is behind.</summary>
/// <param name="Waiting">Events that are not in the log yet.</param>
/// <param name="OldestSeconds">Age of the oldest one; 0 when none waits.</param>
internal readonly record struct OutboxLag(long Waiting, double OldestSeconds);

/// <summary>What the relay measures. Every consumer reports every outbox, whoever relays from it.</summary>
internal sealed class OutboxMetrics
{
    private readonly ConcurrentDictionary<string, OutboxLag> _lag = new();
    private readonly Counter<long> _relayed;

    public OutboxMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Platform");
        _relayed = meter.CreateCounter<long>("outbox_relayed", "{event}", "Events brought to the log");
        meter.CreateObservableGauge(
            "outbox_waiting", () => Measure(lag => lag.Waiting), "{event}", "Events that wait for the log");
        meter.CreateObservableGauge(
            "outbox_oldest_seconds", () => Measure(lag => lag.OldestSeconds), "s",
            "Age of the oldest event that waits");
    }

    public void Relayed(OutboxTable table, int count) => _relayed.Add(count, Tag(table.Schema));

    public void Set(OutboxTable table, OutboxLag lag) => _lag[table.Schema] = lag;

    /// <summary>An old figure would look like one of now.</summary>
    public void Forget(OutboxTable table) => _lag.TryRemove(table.Schema, out _);

    private IEnumerable<Measurement<T>> Measure<T>(Func<OutboxLag, T> figure)
        where T : struct => _lag.Select(lag => new Measurement<T>(figure(lag.Value), Tag(lag.Key)));

    private static KeyValuePair<string, object?> Tag(string schema) => new("outbox", schema);
}
