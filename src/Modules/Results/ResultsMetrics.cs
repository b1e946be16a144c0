using System.Diagnostics.Metrics;

namespace Results;

/// <summary>What the module counts. Meter <c>Results</c>.</summary>
internal sealed class ResultsMetrics
{
    public const string MeterName = "Results";

    public ResultsMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        Connections = meter.CreateUpDownCounter<long>("results.connections", "{connection}", "Streams that are open.");
        Reconnects = meter.CreateCounter<long>(
            "results.reconnects", "{connection}", "Streams whose reader had an earlier one.");
        Refused = meter.CreateCounter<long>(
            "results.connections.refused", "{connection}", "Streams that there was no room for.");
        Rotated = meter.CreateCounter<long>(
            "results.connections.rotated", "{connection}", "Streams ended because of their age.");
        Durations = meter.CreateHistogram(
            "results.connection.duration", "s", "How long streams were open.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 10, 60, 300, 900, 1800, 3600] });
        Surveys = meter.CreateUpDownCounter<long>("results.surveys", "{survey}", "Surveys that are held in memory.");
        FramesRendered = meter.CreateCounter<long>("results.frames.rendered", "{frame}", "Frames made.");
        FramesWritten = meter.CreateCounter<long>("results.frames.written", "{frame}", "Frames written to streams.");
        ReadersDropped = meter.CreateCounter<long>(
            "results.readers.dropped", "{connection}", "Streams ended because their reader did not read.");
        TalliesRead = meter.CreateCounter<long>("results.tallies.read", "{tally}", "Tallies read from the log.");
    }

    public UpDownCounter<long> Connections { get; }

    public Counter<long> Reconnects { get; }

    public Counter<long> Refused { get; }

    public Counter<long> Rotated { get; }

    public Histogram<double> Durations { get; }

    public UpDownCounter<long> Surveys { get; }

    public Counter<long> FramesRendered { get; }

    public Counter<long> FramesWritten { get; }

    public Counter<long> ReadersDropped { get; }

    public Counter<long> TalliesRead { get; }
}
