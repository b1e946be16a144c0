using System.Collections.ObjectModel;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Platform;

namespace Voting;

/// <summary>
/// Publishes how many records of each partition of <c>votes</c> wait to be counted: what consumers are scaled on. Every
/// consumer reports all partitions, for it is those that nobody owns which matter most.
/// </summary>
internal sealed partial class ReportLag : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly IEventLog _log;
    private readonly TimeProvider _clock;
    private readonly ILogger<ReportLag> _logger;
    private volatile IReadOnlyDictionary<int, long> _lag = ReadOnlyDictionary<int, long>.Empty;

    public ReportLag(IEventLog log, TimeProvider clock, IMeterFactory meters, ILogger<ReportLag> logger)
    {
        (_log, _clock, _logger) = (log, clock, logger);
        meters.Create(CountVotes.MeterName).CreateObservableGauge(
            "voting_count_lag", Measure, "{record}", "Records of votes that are not counted yet");
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
            _lag = await _log.LagAsync(CountVotes.Group, VotingTopics.Votes, stop);
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            // Counting outlives what a figure about it does not. An old figure would look like one of now.
            _lag = ReadOnlyDictionary<int, long>.Empty;
            Unknown(_logger, e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "How far counting is behind is not known now")]
    private static partial void Unknown(ILogger logger, Exception failure);

    private IEnumerable<Measurement<long>> Measure() =>
        _lag.Select(lag => new Measurement<long>(lag.Value, new KeyValuePair<string, object?>("partition", lag.Key)));
}
