using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Platform;

namespace Voting;

/// <summary>
/// Publishes how many records of each partition of <c>votes</c> wait to be counted: what consumers are scaled on. Every
/// consumer reports all partitions, for it is those that nobody owns which matter most.
/// </summary>
internal sealed class ReportLag : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly IEventLog _log;
    private readonly TimeProvider _clock;
    private volatile IReadOnlyDictionary<int, long> _lag = new Dictionary<int, long>();

    public ReportLag(IEventLog log, TimeProvider clock, IMeterFactory meters)
    {
        (_log, _clock) = (log, clock);
        meters.Create("Voting").CreateObservableGauge(
            "voting_count_lag", Measure, "{record}", "Records of votes that are not counted yet");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _clock);
        do _lag = await _log.LagAsync(CountVotes.Group, VotingTopics.Votes, stoppingToken);
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private IEnumerable<Measurement<long>> Measure() =>
        _lag.Select(lag => new Measurement<long>(lag.Value, new KeyValuePair<string, object?>("partition", lag.Key)));
}
