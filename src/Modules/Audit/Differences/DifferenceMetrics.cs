using System.Diagnostics.Metrics;

namespace Audit;

/// <summary>What was found, and how far it was looked for. Meter <c>Audit</c>. Safe for use by many threads.</summary>
internal sealed class DifferenceMetrics
{
    private readonly Counter<long> _found;
    private readonly Counter<long> _failed;
    private readonly Counter<long> _votes;
    private readonly Counter<long> _checkpoints;
    private readonly Counter<long> _entries;
    private readonly Counter<long> _cold;
    private volatile IReadOnlyList<(string Area, string Kind, long Count)> _open = [];
    private volatile IReadOnlyList<(string Name, string Kind, DateTimeOffset At)> _completed = [];

    public DifferenceMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(SealMetrics.MeterName);
        _found = meter.CreateCounter<long>(
            "audit_reconciliation_found", "{difference}", "Differences that reconciliation found, each once");
        _failed = meter.CreateCounter<long>(
            "audit_verification_failures", "{failure}", "Archived checkpoints that did not verify, each once");
        _votes = meter.CreateCounter<long>(
            "audit_reconciliation_votes", "{vote}", "Archived votes that were compared with their rows");
        _checkpoints = meter.CreateCounter<long>(
            "audit_verification_checkpoints", "{checkpoint}", "Archived checkpoints that were looked at");
        _entries = meter.CreateCounter<long>(
            "audit_verification_entries", "{entry}", "Archived entries that were verified");
        _cold = meter.CreateCounter<long>(
            "audit_segments_cold", "{segment}", "Times that a segment was passed over because it is in cold storage");
        meter.CreateObservableGauge(
            "audit_reconciliation_differences", () => Open(DifferenceAreas.Reconciliation), "{difference}",
            "Differences that are there now");
        meter.CreateObservableGauge(
            "audit_verification_open", () => Open(DifferenceAreas.Verification), "{failure}",
            "Archived checkpoints that do not verify now");
        meter.CreateObservableGauge(
            "audit_reconciliation_completed_time", () => Completed(DifferenceAreas.Reconciliation), "s",
            "When the log that was not looked through for longest was; seconds since 1970, 0 for never");
        meter.CreateObservableGauge(
            "audit_verification_completed_time", () => Completed(DifferenceAreas.Verification), "s",
            "When the log that was not looked through for longest was; seconds since 1970, 0 for never");
    }

    /// <summary>As the database has them.</summary>
    public IReadOnlyList<(string Area, string Kind, long Count)> OpenCounts
    {
        set => _open = value;
    }

    /// <summary>By area and kind of looking, when the last log was done.</summary>
    public void SetCompleted(string area, IEnumerable<(string Kind, DateTimeOffset? At)> times) => _completed =
        [.. _completed.Where(one => one.Name != area),
            .. times.Select(time => (area, time.Kind, time.At ?? DateTimeOffset.UnixEpoch))];

    public void Found(string area, string kind) =>
        (area is DifferenceAreas.Reconciliation ? _found : _failed)
            .Add(1, new KeyValuePair<string, object?>("kind", kind));

    /// <param name="by">Which kind of looking.</param>
    /// <param name="outcome">What became of them.</param>
    /// <param name="count">How many.</param>
    public void Compared(string by, string outcome, long count) =>
        _votes.Add(count, new("by", by), new("outcome", outcome));

    /// <summary>A segment was passed over: it is in cold storage.</summary>
    public void Cold() => _cold.Add(1);

    /// <param name="by">Which kind of looking.</param>
    /// <param name="entries">Of the checkpoint; 0 where it does not verify.</param>
    public void Verified(string by, long entries)
    {
        var tag = new KeyValuePair<string, object?>("by", by);
        _checkpoints.Add(1, tag);
        _entries.Add(entries, tag);
    }

    private IEnumerable<Measurement<long>> Open(string area) => _open.Where(one => one.Area == area)
        .Select(one => new Measurement<long>(one.Count, new KeyValuePair<string, object?>("kind", one.Kind)))
        .DefaultIfEmpty(new(0));

    private IEnumerable<Measurement<double>> Completed(string area) => _completed.Where(one => one.Name == area)
        .Select(one => new Measurement<double>(
            one.At.ToUnixTimeMilliseconds() / 1000.0, new KeyValuePair<string, object?>("by", one.Kind)));
}
