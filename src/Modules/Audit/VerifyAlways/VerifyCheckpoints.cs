using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Audit;

/// <summary>
/// Verifies the archive by itself: what was just published, read back, and every checkpoint again at a bounded pace.
/// What does not verify is told, and the rest goes on.
/// </summary>
internal sealed partial class VerifyCheckpoints : BackgroundService
{
    private const int LogCountMax = 2;

    private readonly ConcurrentDictionary<(string Kind, string Log), long> _failedAt = new();
    // Of each log the newest that verified: to read it again for the one behind it would be half of all requests.
    private readonly ConcurrentDictionary<string, SealedCheckpoint> _newest = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SealedLog> _logs;
    private readonly CheckpointCheck _check;
    private readonly VerifiedTable _table;
    private readonly DifferenceTable _differences;
    private readonly DifferenceMetrics _metrics;
    private readonly VerificationOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<VerifyCheckpoints> _logger;

    public VerifyCheckpoints(
        AuditDatabase database, SealedLogs logs, CheckpointCheck check, DifferenceTable differences,
        DifferenceMetrics metrics, IOptions<VerificationOptions> options, TimeProvider clock,
        ILogger<VerifyCheckpoints> logger)
    {
        _table = new(database, $"{Environment.MachineName} {Guid.NewGuid():N}");
        (_check, _differences, _metrics) = (check, differences, metrics);
        (_options, _clock, _logger) = (options.Value, clock, logger);
        _logs = logs.All.ToDictionary(log => log.Name, StringComparer.Ordinal);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Loops.RunAsync(stoppingToken, stop => RepeatAsync(RecentAsync, stop), stop => RepeatAsync(PassAsync, stop));

    /// <summary>Verifies what was published since the last time.</summary>
    /// <returns>How long to wait for more.</returns>
    public async Task<TimeSpan> RecentAsync(CancellationToken stop)
    {
        var places = await _table.ClaimRecentAsync([.. _logs.Keys], _options.RecentEntryCountMax, stop);
        var done = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            places.Where(place => !IsFailing(VerifyKinds.Recent, place.Log)),
            new ParallelOptions { MaxDegreeOfParallelism = LogCountMax, CancellationToken = stop },
            async (claimed, cancel) =>
            {
                if (await TryVerifyAsync(claimed, static _ => TimeSpan.Zero, cancel)) done.Add(claimed.Log);
            });
        await _table.CompleteAsync(done, VerifyKinds.Recent, _clock.GetUtcNow(), stop);
        _metrics.OpenCounts = await _differences.OpenAsync(stop);
        _metrics.SetCompleted(DifferenceAreas.Verification, await _table.CompletedAsync(stop));
        return _options.PollInterval;
    }

    /// <summary>Goes on with the pass that is due for longest, to its end.</summary>
    /// <returns>How long to wait for the next one.</returns>
    public async Task<TimeSpan> PassAsync(CancellationToken stop)
    {
        var due = _logs.Keys.Where(log => !IsFailing(VerifyKinds.Pass, log)).ToArray();
        if (await _table.ClaimPassAsync(due, _options.PassInterval, _clock.GetUtcNow(), stop) is not { } place)
        {
            return _options.PollInterval;
        }

        // One that cannot be read costs as much as one that can.
        if (await TryVerifyAsync(place, entries => Pace(Math.Max(entries, 1)), stop))
            await _table.CompleteAsync([place.Log], VerifyKinds.Pass, _clock.GetUtcNow(), stop);
        return TimeSpan.Zero;
    }

    private TimeSpan Pace(long entries) => TimeSpan.FromSeconds((double)entries / _options.PassEntriesPerSecondMax);

    /// <summary>What keeps one log from being verified keeps no other one.</summary>
    private async Task<bool> TryVerifyAsync(
        VerifiedPlace place, Func<long, TimeSpan> pace, CancellationToken cancel)
    {
        try
        {
            return await VerifyAsync(place, pace, cancel);
        }
        catch (ArchiveStoreException e)
        {
            Interrupted(_logger, e);
            _failedAt[(place.Kind, place.Log)] = _clock.GetTimestamp();
            return false;
        }
    }

    private bool IsFailing(string kind, string log) =>
        _failedAt.TryGetValue((kind, log), out var at) && _clock.GetElapsedTime(at) < Loops.FailurePause;

    /// <returns>False when another process has gone on with it.</returns>
    private async Task<bool> VerifyAsync(
        VerifiedPlace place, Func<long, TimeSpan> pace, CancellationToken cancel)
    {
        var before = _newest.GetValueOrDefault(place.Log);
        if (before?.Statement.Number != place.Checkpoint) before = null;
        for (var number = place.Checkpoint + 1; number <= place.Published; number++)
        {
            (before, var failure) = await _check.RunAsync(_logs[place.Log], number, before, cancel);
            var entries = before?.Statement.Entries ?? 0;
            await ReportAsync(place.Log, number, failure, cancel);
            if (!await _table.MoveAsync(place, number, cancel)) return false;
            place = place with { Checkpoint = number };
            _metrics.Verified(place.Kind, entries);
            if (before is not null && place.Kind is VerifyKinds.Recent) _newest[place.Log] = before;
            if (pace(entries) is var pause && pause > TimeSpan.Zero) await Task.Delay(pause, _clock, cancel);
        }

        return true;
    }

    /// <summary>What is wrong with the one before is told of that one, and nothing is known of this one.</summary>
    private Task ReportAsync(string log, long number, Difference? failure, CancellationToken cancel) =>
        _differences.ReportAsync(
            new(DifferenceAreas.Verification, log, CheckpointCheck.Kinds, number, number + 1),
            failure is null ? [] : [failure], cancel);

    private Task RepeatAsync(Func<CancellationToken, Task<TimeSpan>> round, CancellationToken stop) =>
        Loops.RepeatAsync(round, failure => Interrupted(_logger, failure), _clock, stop);

    [LoggerMessage(LogLevel.Warning, "Verifying the archive in the background was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);
}
