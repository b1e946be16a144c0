using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Moves ballots from the log into the shards, one transaction a batch, and says every outcome in the log.
/// </summary>
/// <remarks>
/// Rows first, then outcomes and tallies, then the group's offset. A crash between the first two leaves rows whose
/// outcomes were not said: they are said again from the rows, so what is said never differs from what is stored.
/// </remarks>
internal sealed partial class CountVotes(
    IEventLog log, IBallotStore store, ISurveyReadings surveys, EventMac mac, TimeProvider clock,
    IOptions<CountVotesOptions> options, ILogger<CountVotes> logger) : BackgroundService
{
    public const string Group = "count";

    /// <summary>Everything that the module measures is this meter's.</summary>
    public const string MeterName = "Voting";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Counter<long> OutcomesSaid =
        Meter.CreateCounter<long>("voting_outcomes", description: "Records of votes by their outcome");
    private static readonly Histogram<double> BatchSeconds =
        Meter.CreateHistogram<double>("voting_count_batch_seconds", "s", "Time to count a batch and say its outcomes");

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        log.ConsumeAsync(Group, VotingTopics.Votes, CountAsync, stoppingToken);

    private async Task CountAsync(IOwnedPartition owned, CancellationToken stop)
    {
        var partition = owned.Partition.Partition;
        // A survey published a moment ago must be known before its first ballot is judged.
        await surveys.ReadAfterAsync(clock.GetTimestamp(), stop);
        var (count, said) = await TakeOverAsync(partition, owned.Position, stop);
        PartitionTaken(logger, partition, count.NextOffset, owned.Position);
        if (said > owned.Position) await owned.CommitAsync(said, stop);

        while (!stop.IsCancellationRequested)
        {
            var read = await owned.ReadAsync(options.Value.BatchCountMax, options.Value.ReadWait, stop);
            // Records below the position are counted already; their outcomes have just been said.
            var fresh = read.Where(record => record.Offset >= count.NextOffset)
                .Select(record => ReadRecord.Of(record, mac)).ToList();
            while (fresh.Count > 0)
            {
                var begun = clock.GetTimestamp();
                await KnowSurveysAsync(fresh, stop);
                if (await count.CountAsync(fresh, stop) is { } batch)
                {
                    await SayAsync(partition, batch.Outcomes, batch.Tallies, stop);
                    said = count.NextOffset;
                    Report(batch, partition, clock.GetElapsedTime(begun));
                    fresh.Clear();
                }
                else
                {
                    // Somebody else counted here: go on where the rows say, with what they do not hold of this reading,
                    // which will not be read again.
                    (count, said) = await TakeOverAsync(partition, said, stop);
                    fresh.RemoveAll(record => record.Stored.Offset < count.NextOffset);
                }

                await owned.CommitAsync(said, stop);
            }
        }
    }

    /// <summary>Loads where counting stands and says again what may not have been said.</summary>
    private async Task<(PartitionCount Count, long Said)> TakeOverAsync(
        int partition, long said, CancellationToken stop)
    {
        var state = await store.LoadAsync(partition, stop);
        if (state.NextOffset < said)
        {
            // Counted again, the votes would have outcomes of another time than those that were said.
            throw new InvalidOperationException(
                $"Partition {partition} is counted up to {state.NextOffset} and its outcomes are said up to {said}: "
                + "the shard has lost rows. Restore it to a later state.");
        }

        var end = (await log.RangeAsync(new(VotingTopics.Votes, partition), stop)).End;
        if (state.NextOffset > end)
        {
            throw new InvalidOperationException(
                $"Partition {partition} is counted up to {state.NextOffset} and the log ends at {end}: it has lost "
                + "records, and what it takes now would be passed over. Restore it, or the shards to its state.");
        }

        for (var from = said; from < state.NextOffset;)
        {
            var to = Math.Min(from + options.Value.BatchCountMax, state.NextOffset);
            await SayAsync(partition, await store.OutcomesAsync(partition, from, to, stop), [], stop);
            from = to;
        }

        var count = new PartitionCount(partition, state, store, surveys.Find, clock);
        if (said < state.NextOffset)
            await SayAsync(partition, [], [.. count.Tallies.Where(tally => tally.Version > said)], stop);
        return (count, state.NextOffset);
    }

    private async Task SayAsync(
        int partition, IReadOnlyList<Outcome> outcomes, IReadOnlyList<PartitionTally> tallies, CancellationToken stop)
    {
        var appends = new List<Task>(1 + tallies.Count);
        if (outcomes.Count > 0)
        {
            var records = outcomes
                .Select(outcome => new LogRecord(outcome.VoteId.ToBytes(), outcome.ToBytes())).ToArray();
            appends.Add(log.AppendAsync(new(VotingTopics.Outcomes, partition), records, stop));
        }

        var tallyPartitions = log.PartitionCount(PartitionTally.Topic);
        foreach (var tally in tallies.GroupBy(tally => tally.Survey % tallyPartitions))
        {
            var records = tally.Select(one => new LogRecord(VotingTopics.TallyKey(one), one.ToBytes())).ToArray();
            appends.Add(log.AppendAsync(new(PartitionTally.Topic, tally.Key), records, stop));
        }

        await Task.WhenAll(appends);
    }

    /// <summary>A ballot can overtake the news of its survey's publication; then the news is waited for.</summary>
    private async Task KnowSurveysAsync(List<ReadRecord> records, CancellationToken stop)
    {
        var unknown = records.Any(record => record.Content switch
        {
            VoteRecord.Submitted { Vote.Survey: var survey } => surveys.Find(survey) is null,
            VoteRecord.Replayed { Vote.Survey: var survey } => surveys.Find(survey) is null,
            _ => false,
        });
        if (unknown) await surveys.ReadAfterAsync(clock.GetTimestamp(), stop);
    }

    private void Report(CountedBatch batch, int partition, TimeSpan took)
    {
        BatchSeconds.Record(took.TotalSeconds);
        foreach (var kind in batch.Outcomes.GroupBy(outcome => outcome.Kind))
        {
            var outcome = kind.Key.ToString().ToLowerInvariant();
            OutcomesSaid.Add(kind.Count(), new KeyValuePair<string, object?>("outcome", outcome));
        }

        if (batch.PoisonCount > 0)
        {
            OutcomesSaid.Add(batch.PoisonCount, new KeyValuePair<string, object?>("outcome", "poison"));
            PoisonSetAside(logger, batch.PoisonCount, partition);
        }

        BatchCounted(logger, batch.Outcomes.Count, partition);
    }

    [LoggerMessage(LogLevel.Information,
        "Counting partition {Partition} from {Offset}; the group stood at {Committed}")]
    private static partial void PartitionTaken(ILogger logger, int partition, long offset, long committed);

    [LoggerMessage(LogLevel.Error,
        "Set {Count} records of partition {Partition} aside as poison: no survey that closes "
        + "after them becomes final before they are resolved")]
    private static partial void PoisonSetAside(ILogger logger, int count, int partition);

    [LoggerMessage(LogLevel.Debug, "Counted {Count} records of partition {Partition}")]
    private static partial void BatchCounted(ILogger logger, int count, int partition);
}
