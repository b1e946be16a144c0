using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;

namespace Audit;

/// <summary>
/// Compares archive, rows, tallies and results by itself: what is new soon after it is sealed, and everything again at
/// a bounded pace. Each log is looked at by one process at a time; what ends it here goes on elsewhere, or here.
/// </summary>
internal sealed partial class ReconcileLogs : BackgroundService
{
    // Some hundred bytes each, and a query of their rows.
    private const int StepCountMax = 2_000;
    private const int LogCountMax = 2;

    // A segment that is not what was sealed does not become it by being read every few seconds.
    private static readonly TimeSpan DamagedPause = TimeSpan.FromMinutes(1);

    // Longer than a step takes, of whatever store: claims are renewed between steps.
    private static readonly TimeSpan ClaimLifetimeMin = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, SealedLog> _logs;
    private readonly ConcurrentDictionary<string, LogReconciler> _following = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _damagedAt = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Kind, string Log), long> _failedAt = new();
    private readonly ReconciledTable _table;
    private readonly IArchiveStore _store;
    private readonly VotingRows _rows;
    private readonly CompareResults _results;
    private readonly DifferenceTable _differences;
    private readonly DifferenceMetrics _metrics;
    private readonly ReconciliationOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<ReconcileLogs> _logger;

    public ReconcileLogs(
        AuditDatabase database, SealedLogs logs, IArchiveStore store, VotingRows rows, DifferenceTable differences,
        DifferenceMetrics metrics, IOptions<ReconciliationOptions> options, TimeProvider clock,
        ILogger<ReconcileLogs> logger)
    {
        var claimLifetime = 3 * options.Value.PollInterval;
        _table = new(
            database, $"{Environment.MachineName} {Guid.NewGuid():N}",
            claimLifetime > ClaimLifetimeMin ? claimLifetime : ClaimLifetimeMin);
        (_store, _rows, _differences, _metrics) = (store, rows, differences, metrics);
        (_options, _clock, _logger) = (options.Value, clock, logger);
        _results = new(database, rows, differences, options.Value.OutcomeWaitMax, clock);
        _logs = logs.Votes.ToDictionary(log => log.Name, StringComparer.Ordinal);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Loops.RunAsync(stoppingToken, stop => RepeatAsync(FollowAsync, stop), stop => RepeatAsync(PassAsync, stop));

    /// <summary>Compares everything that is sealed and decided, and all tallies.</summary>
    /// <returns>How long to wait for more.</returns>
    public async Task<TimeSpan> FollowAsync(CancellationToken stop)
    {
        var places = await _table.ClaimFollowsAsync([.. _logs.Keys], stop);
        foreach (var lost in _following.Keys.Except(places.Select(place => place.Log)))
            _following.TryRemove(lost, out _);
        await Parallel.ForEachAsync(
            places.Where(place => IsDue(ReconcileKinds.Follow, place.Log)),
            new ParallelOptions { MaxDegreeOfParallelism = LogCountMax, CancellationToken = stop },
            async (place, cancel) => await FollowAsync(place, cancel));
        // One process compares results: the one that has this log.
        if (places.Any(place => place.Log == SealedLogs.NameOf(0))) await CompareResultsAsync(stop);
        _metrics.OpenCounts = await _differences.OpenAsync(stop);
        _metrics.SetCompleted(DifferenceAreas.Reconciliation, await _table.CompletedAsync(stop));
        return _options.PollInterval;
    }

    /// <summary>Goes on with the pass that is due for longest, to its end.</summary>
    /// <returns>How long to wait for the next one.</returns>
    public async Task<TimeSpan> PassAsync(CancellationToken stop)
    {
        var due = _logs.Keys.Where(log => IsDue(ReconcileKinds.Pass, log)).ToArray();
        if (await _table.ClaimPassAsync(due, _options.PassInterval, _clock.GetUtcNow(), stop) is not { } place)
            return _options.PollInterval;
        var until = await _table.FollowedToAsync(place.Log, stop);
        var reconciler = Reconciler(place);
        // Seldom enough that the claim is renewed in time.
        var countMax = Math.Min(StepCountMax, 5 * _options.PassVotesPerSecondMax);
        try
        {
            while (await reconciler.StepAsync(until, countMax, stop) is { } count)
            {
                if (count == 0)
                {
                    if (reconciler.IsHeld) return _options.PollInterval;
                    await _table.CompleteAsync(place, _clock.GetUtcNow(), stop);
                    break;
                }

                await Task.Delay(TimeSpan.FromSeconds((double)count / _options.PassVotesPerSecondMax), _clock, stop);
            }
        }
        catch (DamagedSegmentException e)
        {
            SayDamaged(place.Log, e);
        }
        catch (Exception e) when (IsOfOneLog(e))
        {
            SayFailed(place, e);
        }
        catch (ColdSegmentException e)
        {
            _metrics.Cold();
            await _table.SkipAsync(reconciler.Place, _logs[place.Log], e.Checkpoint, stop);
        }

        return TimeSpan.Zero;
    }

    private async Task FollowAsync(ReconciledPlace place, CancellationToken cancel)
    {
        if (!_following.TryGetValue(place.Log, out var reconciler) || reconciler.Place != place)
            _following[place.Log] = reconciler = Reconciler(place);
        var isWhole = false;
        try
        {
            while (await reconciler.StepAsync(0, StepCountMax, cancel) is { } count)
            {
                isWhole = count == 0;
                if (isWhole) break;
            }

            if (isWhole && await reconciler.CompareTalliesAsync(cancel) && !reconciler.IsHeld)
                await _table.CompleteAsync(place, _clock.GetUtcNow(), cancel);
        }
        catch (Exception e) when (e is DamagedSegmentException or ColdSegmentException)
        {
            isWhole = false;
            SayDamaged(place.Log, e);
        }
        catch (Exception e) when (IsOfOneLog(e))
        {
            isWhole = false;
            SayFailed(place, e);
        }
        finally
        {
            reconciler.Forget();
            // What was read on and not noted would be left out.
            if (!isWhole) _following.TryRemove(place.Log, out _);
        }
    }

    private async Task CompareResultsAsync(CancellationToken stop)
    {
        try
        {
            await _results.CompareAsync(stop);
        }
        catch (Exception e) when (IsOfOneLog(e))
        {
            Interrupted(_logger, e);
        }
    }

    private Task RepeatAsync(Func<CancellationToken, Task<TimeSpan>> round, CancellationToken stop) =>
        Loops.RepeatAsync(round, failure => Interrupted(_logger, failure), _clock, stop);

    private LogReconciler Reconciler(ReconciledPlace place) => new(
        _logs[place.Log], place, _table, _store, _rows, _differences, _metrics, _options, _clock);

    private bool IsDue(string kind, string log) =>
        !(_damagedAt.TryGetValue(log, out var damaged) && _clock.GetElapsedTime(damaged) < DamagedPause)
        && !(_failedAt.TryGetValue((kind, log), out var failed) && _clock.GetElapsedTime(failed) < Loops.FailurePause);

    /// <summary>
    /// An object that the store refuses, or a shard that does not answer, keeps no other log waiting.
    /// </summary>
    private static bool IsOfOneLog(Exception e) =>
        e is ArchiveStoreException or NpgsqlException or TimeoutException or InvalidSettingsException;

    private void SayFailed(ReconciledPlace place, Exception failure)
    {
        _failedAt[(place.Kind, place.Log)] = _clock.GetTimestamp();
        Interrupted(_logger, failure);
    }

    private void SayDamaged(string log, Exception damage)
    {
        _damagedAt[log] = _clock.GetTimestamp();
        Damaged(_logger, damage.Message, log);
    }

    [LoggerMessage(LogLevel.Warning, "Comparing archive, rows and tallies was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);

    [LoggerMessage(LogLevel.Error, "{Reason} Votes of {Log} behind it are not compared with their rows")]
    private static partial void Damaged(ILogger logger, string reason, string log);
}
