using Confluent.Kafka;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>A partition that the group's coordinator says is ours.</summary>
internal sealed class KafkaOwnedPartition(
    TopicPartition partition, KafkaPartition named, long committed, long epoch, PartitionBuffer buffer,
    KafkaCommitter committer, TimeProvider time) : IOwnedPartition
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private long _committed;
    private volatile bool _isGone;

    public TopicPartition Partition => partition;

    public long Position => committed;

    public long Epoch => epoch;

    /// <summary>It is ours no more, as far as this member knows.</summary>
    public void Leave() => _isGone = true;

    public ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(int countMax, TimeSpan waitMax, CancellationToken cancel) =>
        buffer.ReadAsync(countMax, waitMax, cancel);

    public async ValueTask CommitAsync(long nextOffset, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(nextOffset);
        while (true)
        {
            if (_isGone) throw new PartitionLostException(partition);
            if (nextOffset <= Math.Max(committed, Volatile.Read(ref _committed))) return;
            var error = await committer.CommitAsync(named, nextOffset, cancel);
            if (error is null)
            {
                Volatile.Write(ref _committed, nextOffset);
                return;
            }

            if (!IsPassing(error)) throw new KafkaException(error);
            await Task.Delay(RetryDelay, time, cancel);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // Brokers that are away come back. A generation that is over is either that of a rebalance under way, after which
    // the partition is still ours, or the news that it is not, which the client is about to tell.
    private static bool IsPassing(Error error) => KafkaClients.IsOutage(error) || error.Code is
        ErrorCode.IllegalGeneration or ErrorCode.UnknownMemberId or ErrorCode.RebalanceInProgress
        or ErrorCode.Local_NoOffset or ErrorCode.Local_AssignmentLost or ErrorCode.Local_State
        or ErrorCode.Local_WaitCoord or ErrorCode.StaleMemberEpoch;
}
