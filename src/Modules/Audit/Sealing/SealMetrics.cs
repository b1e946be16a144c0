using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Audit;

/// <summary>What sealing measures. Safe for use by many threads.</summary>
internal sealed class SealMetrics
{
    /// <summary>Everything that the module measures is this meter's.</summary>
    public const string MeterName = "Audit";

    private readonly ConcurrentDictionary<string, Func<TimeSpan>> _waiting = new();
    private readonly Counter<long> _entries;
    private readonly Counter<long> _checkpoints;
    private readonly Counter<long> _failures;
    private readonly Histogram<double> _seconds;

    public SealMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _entries = meter.CreateCounter<long>("audit_entries_sealed", "{entry}", "Entries that were sealed");
        _checkpoints = meter.CreateCounter<long>(
            "audit_checkpoints_sealed", "{checkpoint}", "Checkpoints that were published");
        _failures = meter.CreateCounter<long>(
            "audit_seal_failures", "{failure}", "Attempts to seal that an outage ended; each is repeated");
        _seconds = meter.CreateHistogram<double>(
            "audit_seal_seconds", "s", "Time from a checkpoint's intent until the archive holds it");
        meter.CreateObservableGauge(
            "audit_unsealed_seconds", Waiting, "s", "How long the first entry of a log waits that is not sealed");
    }

    public void Sealed(SealedLog log, long entries, TimeSpan took)
    {
        _entries.Add(entries, Tag(log));
        _checkpoints.Add(1, Tag(log));
        _seconds.Record(took.TotalSeconds);
    }

    /// <param name="log">Which log waits.</param>
    /// <param name="by">What did not answer: <c>archive</c> or <c>database</c>.</param>
    public void Failed(SealedLog log, string by) => _failures.Add(1, Tag(log), new("by", by));

    /// <summary>Reports how long a log's first entry has been waiting, until it is forgotten.</summary>
    public void Watch(SealedLog log, Func<TimeSpan> waiting) => _waiting[log.Name] = waiting;

    /// <summary>The log is sealed elsewhere.</summary>
    public void Forget(SealedLog log) => _waiting.TryRemove(log.Name, out _);

    private IEnumerable<Measurement<double>> Waiting() => _waiting.Select(log => new Measurement<double>(
        log.Value().TotalSeconds, new KeyValuePair<string, object?>("log", log.Key)));

    private static KeyValuePair<string, object?> Tag(SealedLog log) => new("log", log.Name);
}
