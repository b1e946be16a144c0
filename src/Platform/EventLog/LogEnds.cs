using System.Collections.Concurrent;

namespace Platform;

/// <summary>How far each partition is known to go in this process, and who waits for it to go further.</summary>
internal sealed class LogEnds
{
    private readonly ConcurrentDictionary<TopicPartition, End> _ends = new();
    private readonly ConcurrentDictionary<string, int> _readers = new();

    /// <returns>The one that all readers of the partition share.</returns>
    public End Of(TopicPartition partition) => _ends.GetOrAdd(partition, static _ => new());

    /// <summary>The partition holds everything below this offset. Never moves back.</summary>
    public void Advance(TopicPartition partition, long nextOffset)
    {
        // Nobody has opened a reader: it will look for itself.
        if (_ends.TryGetValue(partition, out var end)) end.Advance(nextOffset);
    }

    /// <summary>Topics that readers are open on: what the watch has to look at.</summary>
    public string[] Topics() => [.. _readers.Where(topic => topic.Value > 0).Select(topic => topic.Key)];

    public void Watch(string topic) => _readers.AddOrUpdate(topic, 1, static (_, readers) => readers + 1);

    public void Unwatch(string topic) => _readers.AddOrUpdate(topic, 0, static (_, readers) => readers - 1);

    internal sealed class End
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource? _moved;
        private long _nextOffset;

        /// <summary>Every offset below is there. 0 until somebody looked.</summary>
        public long NextOffset => Volatile.Read(ref _nextOffset);

        public void Advance(long nextOffset)
        {
            TaskCompletionSource? moved;
            lock (_lock)
            {
                if (nextOffset <= _nextOffset) return;
                Volatile.Write(ref _nextOffset, nextOffset);
                (moved, _moved) = (_moved, null);
            }

            moved?.SetResult();
        }

        /// <returns>A task that ends once the end lies beyond that offset, or sooner.</returns>
        public Task MovedBeyond(long offset)
        {
            lock (_lock)
            {
                if (_nextOffset > offset) return Task.CompletedTask;
                _moved ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                return _moved.Task;
            }
        }
    }
}
