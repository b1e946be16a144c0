using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Audit;

/// <summary>Follows the sealed segments of every log and makes their events searchable, each once.</summary>
/// <remarks>
/// Sealing knows nothing of it and waits for nothing. What is lost can be made again: position and events move
/// together.
/// </remarks>
internal sealed partial class IndexEvents(
    EventIndex index, IArchiveStore store, IOptions<SearchOptions> options, ReadingMetrics metrics, TimeProvider clock,
    ILogger<IndexEvents> logger) : BackgroundService
{
    // A segment that is not what was sealed does not become it by being read four times a second.
    private static readonly TimeSpan DamagedPause = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, long> _damagedAt = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _failedAt = new(StringComparer.Ordinal);
    private readonly string _claimant = $"{Environment.MachineName} {Guid.NewGuid():N}";

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loops.RepeatAsync(
        // What is waiting after a round is looked at once more, without a pause.
        async stop => await RoundAsync(stop) ? TimeSpan.Zero : options.Value.PollInterval,
        failure => Interrupted(logger, failure), clock, stoppingToken);

    /// <summary>Adds the next segment of every log that has one.</summary>
    /// <returns>Whether any was added.</returns>
    public async Task<bool> RoundAsync(CancellationToken stop)
    {
        var (segments, waiting) = await index.ClaimAsync(_claimant, stop);
        metrics.SegmentsWaiting = waiting;
        var added = 0;
        await Parallel.ForEachAsync(
            segments.Where(segment => !IsPaused(segment.Log)),
            new ParallelOptions { MaxDegreeOfParallelism = options.Value.LogCountMax, CancellationToken = stop },
            async (segment, cancel) =>
            {
                if (await TryAddAsync(segment, cancel)) Interlocked.Increment(ref added);
            });
        return added > 0;
    }

    /// <summary>An object that the store does not give keeps no other log waiting.</summary>
    private async Task<bool> TryAddAsync(UnindexedSegment segment, CancellationToken cancel)
    {
        try
        {
            return await AddAsync(segment, cancel);
        }
        catch (ArchiveStoreException e)
        {
            Interrupted(logger, e);
            _failedAt[segment.Log] = clock.GetTimestamp();
            return false;
        }
    }

    private async Task<bool> AddAsync(UnindexedSegment segment, CancellationToken cancel)
    {
        var content = await store.ReadAsync(segment.Object.Key, segment.Object.VersionId, cancel);
        if (content is null || !content.Is(segment.Object.Digest.Span))
        {
            // Evidence is damaged: nothing is taken from it, and nothing behind it.
            SayDamaged(segment, content is null ? "is gone" : "is not what was sealed");
            return false;
        }

        SegmentFacts facts;
        try
        {
            facts = SegmentFacts.Read(segment, content.Bytes);
        }
        catch (InvalidDataException e)
        {
            SayDamaged(segment, e.Message);
            return false;
        }

        if (!await index.AddAsync(segment, facts, cancel)) return false;
        metrics.Indexed.Add(facts.Events.Count);
        return true;
    }

    private bool IsPaused(string log) =>
        (_damagedAt.TryGetValue(log, out var damaged) && clock.GetElapsedTime(damaged) < DamagedPause)
        || (_failedAt.TryGetValue(log, out var failed) && clock.GetElapsedTime(failed) < Loops.FailurePause);

    private void SayDamaged(UnindexedSegment segment, string reason)
    {
        _damagedAt[segment.Log] = clock.GetTimestamp();
        metrics.Unindexable.Add(1);
        Damaged(logger, segment.Object.Key, reason);
    }

    [LoggerMessage(LogLevel.Warning, "Making archived events searchable was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);

    [LoggerMessage(LogLevel.Error,
        "The archived segment {Key} {Reason}: its events, and those behind it, cannot be searched for")]
    private static partial void Damaged(ILogger logger, string key, string reason);
}
