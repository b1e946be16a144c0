using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>Commits the positions of one member, those that wait at the same time as one request.</summary>
/// <remarks>
/// The client commits by a call that blocks until the coordinator has answered, and partitions commit after each of
/// their batches: on threads of the pool they would stand in each other's way, so one thread does it for all.
/// </remarks>
internal sealed class KafkaCommitter : IDisposable
{
    // More than a member can own: each partition waits for its commit before it begins the next.
    private const int WaitingCountMax = 2_048;

    private readonly BlockingCollection<Commit> _waiting = new(WaitingCountMax);

    /// <summary>Commits once.</summary>
    /// <returns>What the coordinator, or the way to it, has against it; null when it is committed.</returns>
    public async ValueTask<Error?> CommitAsync(KafkaPartition partition, long nextOffset, CancellationToken cancel)
    {
        var commit = new Commit(new(partition, nextOffset), new(TaskCreationOptions.RunContinuationsAsynchronously));
        _waiting.Add(commit, cancel);
        return await commit.Answer.Task.WaitAsync(cancel);
    }

    /// <summary>Commits what comes until there is no more to come, on the thread of the caller.</summary>
    public void Run(IConsumer<byte[]?, byte[]?> consumer)
    {
        var commits = new List<Commit>();
        foreach (var first in _waiting.GetConsumingEnumerable())
        {
            commits.Add(first);
            while (_waiting.TryTake(out var next)) commits.Add(next);
            Answer(consumer, commits);
            commits.Clear();
        }
    }

    /// <summary>Takes no more; <see cref="Run"/> ends after what waits.</summary>
    public void Complete() => _waiting.CompleteAdding();

    public void Dispose() => _waiting.Dispose();

    private static void Answer(IConsumer<byte[]?, byte[]?> consumer, List<Commit> commits)
    {
        // Of two positions of one partition the higher one says all that the lower one would.
        var offsets = commits.GroupBy(commit => commit.To.TopicPartition)
            .Select(same => same.MaxBy(commit => commit.To.Offset.Value)!.To).ToArray();
        try
        {
            consumer.Commit(offsets);
            foreach (var commit in commits) commit.Answer.TrySetResult(null);
        }
        catch (TopicPartitionOffsetException e)
        {
            foreach (var commit in commits)
            {
                var said = e.Results.Find(result => result.TopicPartition == commit.To.TopicPartition);
                commit.Answer.TrySetResult(said?.Error is { IsError: false } ? null : said?.Error ?? e.Error);
            }
        }
        catch (KafkaException e)
        {
            foreach (var commit in commits) commit.Answer.TrySetResult(e.Error);
        }
    }

    private sealed record Commit(TopicPartitionOffset To, TaskCompletionSource<Error?> Answer);
}
