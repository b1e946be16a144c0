namespace Platform;

/// <summary>One partition of one topic of the event log. Partitions are numbered from 0.</summary>
public readonly record struct TopicPartition(string Topic, int Partition)
{
    /// <returns>The form that logs and metrics use: <c>votes-7</c>.</returns>
    public override string ToString() => $"{Topic}-{Partition}";
}

/// <summary>
/// A named value beside a record's bytes, for what must travel with it but is no part of the evidence.
/// </summary>
public readonly record struct LogHeader(string Name, ReadOnlyMemory<byte> Value);

/// <summary>A record to append. The log keeps the bytes as they are and reads none of them.</summary>
/// <param name="Key">What compacted topics keep the newest of; at most 1 KiB, may be empty.</param>
/// <param name="Value">The record's bytes, at most <see cref="IEventLog.RecordSizeBytesMax"/>.</param>
/// <param name="Headers">At most 16, of 16 KiB together; null means none.</param>
public readonly record struct LogRecord(
    ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value, LogHeader[]? Headers = null);

/// <summary>A record as the log gives it back.</summary>
/// <param name="Offset">Its place in the partition: later records have higher offsets; on some logs not by one.</param>
public readonly record struct StoredRecord(
    long Offset, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value, LogHeader[] Headers)
{
    /// <returns>The value of the first header of that name, or null.</returns>
    public ReadOnlyMemory<byte>? Header(string name)
    {
        foreach (var header in Headers)
        {
            if (header.Name == name) return header.Value;
        }

        return null;
    }
}

/// <summary>
/// The offsets that a partition holds: from <paramref name="Start"/> up to, and without, <paramref name="End"/>.
/// </summary>
public readonly record struct LogRange(long Start, long End);

/// <summary>A partitioned, ordered, durable log. Safe for use by many threads.</summary>
/// <remarks>
/// What one caller appends to a partition, each append begun after the one before was called, stands there in that
/// order, also if one of them failed: a record of unknown outcome never comes to stand behind a later one. Order
/// between partitions is not defined. A partition that was not created is refused by an
/// <see cref="ArgumentOutOfRangeException"/>, a topic that was not by an <see cref="InvalidOperationException"/>.
/// </remarks>
public interface IEventLog
{
    /// <summary>Largest value of a record: 900 KiB, so that a record fits a broker's default limit of 1 MiB.</summary>
    const int RecordSizeBytesMax = 900 * 1024;

    /// <returns>The number of partitions the topic was created with.</returns>
    /// <exception cref="InvalidOperationException">No such topic: the installation was not migrated.</exception>
    int PartitionCount(string topic);

    /// <summary>Appends one record and answers with its offset once the log holds it durably.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="record">Its memory must not change until the answer, nor ever if the wait is cancelled.</param>
    /// <param name="cancel">Ends the wait, not the append: a record handed over may still become durable.</param>
    /// <exception cref="AppendFailedException">It says whether the record may have become durable all the
    /// same.</exception>
    ValueTask<long> AppendAsync(TopicPartition to, LogRecord record, CancellationToken cancel);

    /// <summary>Appends records in their order and answers with their offsets once all are durable.</summary>
    /// <remarks>
    /// Records of other writers may stand between them. After a failure the first few of them may be durable, never a
    /// later one without those before it; <see cref="AppendFailure.NotPersisted"/> says that none is.
    /// </remarks>
    /// <exception cref="AppendFailedException">At least one was not confirmed.</exception>
    Task<long[]> AppendAsync(TopicPartition to, IReadOnlyList<LogRecord> records, CancellationToken cancel);

    /// <returns>What the partition holds now.</returns>
    ValueTask<LogRange> RangeAsync(TopicPartition of, CancellationToken cancel);

    /// <summary>Reads a partition from an offset on, outside any group. The caller disposes the reader.</summary>
    /// <param name="from">Which partition.</param>
    /// <param name="offset">The first offset to read: 0 or more; below the partition's start it reads from the
    /// start.</param>
    ILogReader OpenReader(TopicPartition from, long offset);

    /// <summary>
    /// Joins a group that shares a topic's partitions among its members, and runs <paramref name="work"/> once for
    /// every partition that comes to this member, side by side.
    /// </summary>
    /// <remarks>
    /// A partition has one owner at a time as far as the group can see; a paused member may still believe that it owns
    /// one, so effects must be fenced by themselves (<see cref="IOwnedPartition.Epoch"/>). When a partition is taken
    /// away, the token given to its work is cancelled, and the partition passes on after the work has ended. The same
    /// token is cancelled when this member cannot be heard of for so long that others may own the partition. Work that
    /// returns by itself leaves the partition with this member and is not begun again; work that ends by a
    /// <see cref="PartitionLostException"/> has not failed.
    /// </remarks>
    /// <returns>When <paramref name="stop"/> is signalled and all work has ended.</returns>
    /// <exception cref="Exception">The first failure of any work: every other one is cancelled and awaited
    /// before.</exception>
    Task ConsumeAsync(
        string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work, CancellationToken stop);

    /// <returns>How many records of each partition the group has not committed yet.</returns>
    ValueTask<IReadOnlyDictionary<int, long>> LagAsync(string group, string topic, CancellationToken cancel);
}

/// <summary>Reads one partition forwards. Not safe for use by several threads.</summary>
public interface ILogReader : IAsyncDisposable
{
    /// <summary>Waits until there is a record, then takes what has already arrived, in offset order.</summary>
    /// <param name="countMax">Largest batch, in records. At least 1.</param>
    /// <param name="waitMax">Longest wait for the first record.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The records; empty when none came in time. May be fewer than are there.</returns>
    /// <exception cref="InvalidOperationException">
    /// The partition ends before the place to read from: the log has lost records that were in it.
    /// </exception>
    ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(int countMax, TimeSpan waitMax, CancellationToken cancel);
}

/// <summary>A partition that a group has given to this member. Reads from the committed position on.</summary>
public interface IOwnedPartition : ILogReader
{
    /// <summary>Which one.</summary>
    TopicPartition Partition { get; }

    /// <summary>The group's committed position when the partition came: the next offset to read. 0 at first.</summary>
    long Position { get; }

    /// <summary>Grows with every change of owner.</summary>
    long Epoch { get; }

    /// <summary>Commits that all records below <paramref name="nextOffset"/> are done. Never moves back.</summary>
    /// <exception cref="PartitionLostException">Another member owns the partition by now; nothing was
    /// committed.</exception>
    ValueTask CommitAsync(long nextOffset, CancellationToken cancel);
}

/// <summary>Another member of the group owns the partition by now. The work on it must end; nothing is wrong.</summary>
public sealed class PartitionLostException(TopicPartition partition)
    : Exception($"Partition {partition} is owned by another member of the group by now.");

/// <summary>What is known of records whose append was not confirmed.</summary>
public enum AppendFailure
{
    /// <summary>The record is not in the log and will not come to be there.</summary>
    NotPersisted,

    /// <summary>It may be in the log or come to be there: only a look at the log can tell.</summary>
    Unknown,

    /// <summary>Not in the log: too many records are waiting already. Try again later.</summary>
    Overloaded,

    /// <summary>Not in the log: it is larger than the log takes.</summary>
    TooLarge,
}

/// <summary>An append that was not confirmed.</summary>
public sealed class AppendFailedException(AppendFailure failure, string message, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>What is known of the record.</summary>
    public AppendFailure Failure { get; } = failure;
}

/// <summary>
/// A topic that the installation has. Registered by the module that owns it, created by the verb <c>migrate</c> in
/// PostgreSQL, by <c>admin log init</c> in Kafka.
/// </summary>
/// <param name="Name">Lower case, words joined by hyphens.</param>
/// <param name="Partitions">1 to 1,024; fixed for good once created.</param>
/// <param name="Retention">How long records are kept at least; null means they are not deleted by age.</param>
/// <param name="Compacted">Whether older records of a key may be dropped once a newer one is there.</param>
public sealed record Topic(string Name, int Partitions, TimeSpan? Retention = null, bool Compacted = false);
