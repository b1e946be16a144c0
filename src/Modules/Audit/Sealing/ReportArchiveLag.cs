using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Platform;
using Voting.Contracts;

namespace Audit;

/// <summary>
/// Publishes how many records of each partition wait to be archived: what auditing processes are scaled on. Every one
/// of them reports all partitions, for it is those that nobody owns which matter most.
/// </summary>
internal sealed partial class ReportArchiveLag : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly (string Group, string Topic)[] Read =
        [(SealVotes.Group, VoteTopics.Votes), (SealEvents.Group, Outbox.Topic.Name)];

    private readonly IEventLog _log;
    private readonly TimeProvider _clock;
    private readonly ILogger<ReportArchiveLag> _logger;
    private volatile IReadOnlyList<(TopicPartition Partition, long Lag)> _lag = [];

    public ReportArchiveLag(
        IEventLog log, TimeProvider clock, IMeterFactory meters, ILogger<ReportArchiveLag> logger)
    {
        (_log, _clock, _logger) = (log, clock, logger);
        meters.Create(SealMetrics.MeterName).CreateObservableGauge(
            "audit_archive_lag", Measure, "{record}", "Records that are not archived yet");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _clock);
        do await ReadAsync(stoppingToken);
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task ReadAsync(CancellationToken stop)
    {
        try
        {
            var found = new List<(TopicPartition, long)>();
            foreach (var (group, topic) in Read)
            {
                foreach (var (partition, lag) in await _log.LagAsync(group, topic, stop))
                    found.Add((new(topic, partition), lag));
            }

            _lag = found;
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            // Archiving outlives what a figure about it does not. An old figure would look like one of now.
            _lag = [];
            Unknown(_logger, e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "How far the archive is behind is not known now")]
    private static partial void Unknown(ILogger logger, Exception failure);

    private IEnumerable<Measurement<long>> Measure() => _lag.Select(one => new Measurement<long>(
        one.Lag, new("topic", one.Partition.Topic), new("partition", one.Partition.Partition)));
}
