using System.Diagnostics.Metrics;

namespace Audit;

/// <summary>What is counted of reading the archive: index, proofs, witnesses, results. Meter <c>Audit</c>.</summary>
internal sealed class ReadingMetrics
{
    private readonly Counter<long> _proofs;
    private readonly Counter<long> _cosigned;
    private readonly Counter<long> _notCosigned;
    private long _segmentsWaiting;
    private long _resultsWaiting;

    public ReadingMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(SealMetrics.MeterName);
        _proofs = meter.CreateCounter<long>("audit_proofs", "{proof}", "Proofs of votes that were asked for.");
        Indexed = meter.CreateCounter<long>("audit_index_events", "{event}", "Events added to the index.");
        Unindexable = meter.CreateCounter<long>(
            "audit_index_failures", "{segment}", "Archived segments that were not what was sealed.");
        meter.CreateObservableGauge(
            "audit_index_waiting", () => Interlocked.Read(ref _segmentsWaiting), "{segment}",
            "Archived segments that are not in the index yet.");
        Exported = meter.CreateCounter<long>("audit_exported", "{event}", "Events given out by exports.");
        _cosigned = meter.CreateCounter<long>(
            "audit_witness_cosigned", "{checkpoint}", "Checkpoints that a witness signed.");
        _notCosigned = meter.CreateCounter<long>(
            "audit_witness_failures", "{checkpoint}", "Checkpoints that a witness did not sign when asked.");
        Results = meter.CreateCounter<long>("audit_results", "{survey}", "Statements of final results that were made.");
        meter.CreateObservableGauge(
            "audit_results_waiting", () => Interlocked.Read(ref _resultsWaiting), "{survey}",
            "Final results whose votes the archive does not have all yet, or of which it has others.");
    }

    /// <summary>Events added to the index.</summary>
    public Counter<long> Indexed { get; }

    /// <summary>Segments that could not be added.</summary>
    public Counter<long> Unindexable { get; }

    /// <summary>Events given out.</summary>
    public Counter<long> Exported { get; }

    /// <summary>Statements made.</summary>
    public Counter<long> Results { get; }

    /// <summary>As this process saw it last.</summary>
    public long SegmentsWaiting
    {
        set => Interlocked.Exchange(ref _segmentsWaiting, value);
    }

    /// <summary>As this process saw it last.</summary>
    public long ResultsWaiting
    {
        set => Interlocked.Exchange(ref _resultsWaiting, value);
    }

    /// <summary>A proof was asked for.</summary>
    public void Asked(bool isThere) => _proofs.Add(1, new KeyValuePair<string, object?>("found", isThere));

    /// <summary>A witness was asked.</summary>
    public void Witnessed(string witness, bool hasSigned) =>
        (hasSigned ? _cosigned : _notCosigned).Add(1, new KeyValuePair<string, object?>("witness", witness));
}
