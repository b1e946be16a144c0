using Platform;
using Voting;

namespace Bench;

/// <summary>
/// Counting without a log: records that lie in memory become rows, tallies and the bytes of outcomes, by the product's
/// own code, one worker a partition, in batches as the consumer takes them.
/// </summary>
internal sealed class CountInMemory(VotingDatabase database, MadeVotes votes)
{
    private readonly int _batchCountMax = new CountVotesOptions().BatchCountMax;

    /// <returns>Bytes of all that would be said.</returns>
    public async Task<long> RunAsync(IReadOnlyList<List<StoredRecord>> partitions, CancellationToken cancel)
    {
        var said = await Task.WhenAll(partitions.Select((records, partition) =>
            Task.Run(() => CountAsync(partition, records, cancel), cancel)));
        return said.Sum();
    }

    /// <returns>Where every partition stands.</returns>
    public async Task<long[]> PositionsAsync(CancellationToken cancel)
    {
        var store = new PostgresBallotStore(database);
        var positions = new long[MadeVotes.Partitions];
        for (var partition = 0; partition < positions.Length; partition++)
            positions[partition] = (await store.LoadAsync(partition, cancel)).NextOffset;
        return positions;
    }

    private async Task<long> CountAsync(int partition, List<StoredRecord> records, CancellationToken cancel)
    {
        var store = new PostgresBallotStore(database);
        var state = await store.LoadAsync(partition, cancel);
        var count = new PartitionCount(partition, state, store, votes.Find, TimeProvider.System);
        var said = 0L;
        for (var from = 0; from < records.Count; from += _batchCountMax)
        {
            var read = records.GetRange(from, Math.Min(_batchCountMax, records.Count - from));
            var batch = await count.CountAsync([.. read.Select(record => ReadRecord.Of(record, votes.Mac))], cancel)
                ?? throw new BrokenOffException($"Somebody else counts partition {partition}.");
            if (batch.Outcomes.Count != read.Count || batch.Outcomes.Any(one => one.Kind is not OutcomeKind.Counted))
                throw new BrokenOffException($"Not every vote of partition {partition} was counted.");
            said += batch.Outcomes.Sum(outcome => outcome.ToBytes().Length);
            said += batch.Tallies.Sum(tally => tally.ToBytes().Length);
        }

        return said;
    }
}
