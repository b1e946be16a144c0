using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>The event log as tables of the control database.</summary>
/// <remarks>
/// Appends, notices and retention happen in <see cref="RunAsync"/>, which the host runs: until then appends wait.
/// </remarks>
public sealed class PostgresLog : IEventLog, ILogAdmin, IAsyncDisposable
{
    private readonly LogConnections _connections;
    private readonly LogTopics _topics;
    private readonly PostgresLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly LogEnds _ends = new();
    private readonly AppendQueue _queue;

    /// <param name="database">Where the tables are.</param>
    /// <param name="options">Limits and intervals.</param>
    /// <param name="topics">All that this process appends to or reads.</param>
    /// <param name="time">Measures waits.</param>
    /// <param name="logger">Told of outages and of partitions that come and go.</param>
    public PostgresLog(
        IOptions<DatabaseOptions> database, IOptions<PostgresLogOptions> options, IEnumerable<Topic> topics,
        TimeProvider time, ILogger<PostgresLog> logger)
    {
        (_options, _time, _logger) = (options.Value, time, logger);
        _connections = new(database, options);
        _topics = new(topics);
        _queue = new(_options, time);
    }

    /// <inheritdoc/>
    public async Task<int> EnsureTopicsAsync(CancellationToken cancel)
    {
        await using var connection = await _connections.Pool.OpenConnectionAsync(cancel);
        return await _topics.EnsureAsync(connection, cancel);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel)
    {
        await using var connection = await _connections.Pool.OpenConnectionAsync(cancel);
        return [.. await _topics.DifferencesAsync(connection, cancel),
            .. await PostgresDurability.DifferencesAsync(connection, cancel)];
    }

    /// <inheritdoc/>
    public async Task RequireTopicsAsync(CancellationToken cancel)
    {
        await using var connection = await _connections.Pool.OpenConnectionAsync(cancel);
        await _topics.VerifyAsync(connection, cancel);
    }

    /// <summary>
    /// Keeps the log going until told to stop: then appends what waits, and refuses what comes later. Called once.
    /// Outlives outages of the database.
    /// </summary>
    /// <exception cref="LogNotReadyException">The database does not have the registered topics: not
    /// migrated.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        // When one of the loops fails the others end too: a log that works in part would hide it.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var notifier = new LogNotifier(_connections, _time, _logger);
        var appender = new LogAppender(_connections, _queue, _ends, notifier, _topics, _options, _time, _logger);
        Task[] loops =
        [
            appender.RunAsync(ending.Token),
            new LogWatch(_connections, _ends, _options, _time, _logger).RunAsync(ending.Token),
            notifier.RunAsync(ending.Token),
            new LogRetention(_connections, _topics, _options, _time, _logger).RunAsync(ending.Token),
        ];
        await foreach (var ended in Task.WhenEach(loops))
        {
            if (ended.IsFaulted) await ending.CancelAsync();
        }

        await Task.WhenAll(loops);
    }

    /// <inheritdoc/>
    public int PartitionCount(string topic) => _topics.PartitionCount(topic);

    /// <inheritdoc/>
    public ValueTask<long> AppendAsync(TopicPartition to, LogRecord record, CancellationToken cancel)
    {
        _topics.RequireExisting(to);
        cancel.ThrowIfCancellationRequested();
        var traced = TraceHeaders.Attach(record);
        var size = RequireFitting(traced);
        var append = SingleAppend.Rent(to, traced);
        var answer = append.Answer;
        _queue.Add(append, size);
        append.WaitUntil(cancel);
        return answer;
    }

    /// <inheritdoc/>
    public async Task<long[]> AppendAsync(
        TopicPartition to, IReadOnlyList<LogRecord> records, CancellationToken cancel)
    {
        _topics.RequireExisting(to);
        cancel.ThrowIfCancellationRequested();
        if (records.Count == 0) return [];
        var traced = TraceHeaders.Attach(records);
        var size = 0L;
        for (var i = 0; i < traced.Count; i++) size += RequireFitting(traced[i]);
        var append = new ManyAppend(to, traced);
        _queue.Add(append, size);
        return await append.Answer.WaitAsync(cancel);
    }

    /// <inheritdoc/>
    public ValueTask<LogRange> RangeAsync(TopicPartition of, CancellationToken cancel)
    {
        _topics.RequireExisting(of);
        return PostgresLogReader.RangeAsync(_connections.Pool, of, cancel);
    }

    /// <inheritdoc/>
    public ILogReader OpenReader(TopicPartition from, long offset)
    {
        _topics.RequireExisting(from);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return Open(from, offset);
    }

    /// <inheritdoc/>
    public Task ConsumeAsync(
        string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work, CancellationToken stop)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(group);
        _topics.PartitionCount(topic);
        var table = new GroupTable(_connections.Pool, group, topic, _options);
        return ConsumeAsync(new GroupMember(table, Open, work, _options, _time, _logger), stop);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<int, long>> LagAsync(string group, string topic, CancellationToken cancel)
    {
        _topics.PartitionCount(topic);
        return GroupTable.LagAsync(_connections.Pool, group, topic, cancel);
    }

    /// <summary>Closes the pools. <see cref="RunAsync"/> and everything that reads must have ended.</summary>
    public ValueTask DisposeAsync() => _connections.DisposeAsync();

    private static async Task ConsumeAsync(GroupMember member, CancellationToken stop)
    {
        using (member) await member.RunAsync(stop);
    }

    private PostgresLogReader Open(TopicPartition from, long offset) =>
        new(from, offset, _connections.Pool, _ends, _options.ReadSizeBytesMax, _time);

    /// <returns>The record's size in a batch.</returns>
    private static int RequireFitting(in LogRecord record)
    {
        RecordLimits.RequireFitting(record);
        return RecordCodec.SizeBytes(record);
    }
}
