using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Platform;
using Voting.Contracts;

namespace Results;

/// <summary>Reads every partition of the tallies from its present end on, and gives what comes to the boards.</summary>
/// <remarks>It needs no position of its own: tallies are absolute, and a board begins with the shards' rows.</remarks>
internal sealed partial class FollowTallies(
    IEventLog log, Boards boards, ResultsMetrics metrics, ILogger<FollowTallies> logger) : BackgroundService
{
    // A tally of a survey with many options is some 10 KB; a batch stays below 10 MB.
    private const int BatchCountMax = 1_000;

    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var readers = new List<ILogReader>();
        try
        {
            for (var i = 0; i < log.PartitionCount(PartitionTally.Topic); i++)
            {
                var partition = new TopicPartition(PartitionTally.Topic, i);
                var range = await log.RangeAsync(partition, stoppingToken);
                readers.Add(log.OpenReader(partition, range.End));
            }

            boards.Follow();
            Following(logger, readers.Count);
            await FollowAsync(readers, stoppingToken);
        }
        finally
        {
            foreach (var reader in readers) await reader.DisposeAsync();
        }
    }

    private async Task FollowAsync(List<ILogReader> readers, CancellationToken stop)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var loops = readers.Select(reader => FollowAsync(reader, end.Token)).ToArray();
        await Task.WhenAny(loops);
        // One that has ended takes the others with it: half of the surveys standing still would look like no votes.
        await end.CancelAsync();
        await Task.WhenAll(loops);
    }

    private async Task FollowAsync(ILogReader reader, CancellationToken stop)
    {
        while (true)
        {
            foreach (var record in await reader.ReadAsync(BatchCountMax, WaitMax, stop))
            {
                if (TryParse(record.Value.Span) is { } tally) boards.Merge(tally);
                else Unreadable(logger, record.Offset);
                metrics.TalliesRead.Add(1);
            }
        }
    }

    // Skipped, not fatal: the partition's next tally, or the rows, say all that this one should have said.
    private static PartitionTally? TryParse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var tally = PartitionTally.Parse(bytes);
            return tally.Options is not null && tally.Votes?.Count == tally.Options.Count ? tally : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [LoggerMessage(LogLevel.Information, "Following the tallies in {Partitions} partitions")]
    private static partial void Following(ILogger logger, int partitions);

    [LoggerMessage(LogLevel.Error, "The record at offset {Offset} of the tallies is no tally; it was skipped")]
    private static partial void Unreadable(ILogger logger, long offset);
}
