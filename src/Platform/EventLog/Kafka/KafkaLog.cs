using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>The event log in Kafka.</summary>
/// <remarks>
/// <see cref="RunAsync"/>, which the host runs, keeps callers from waiting for ever and ends the process when Kafka's
/// client can no longer keep the order of records. No connection is made before the first use.
/// </remarks>
public sealed class KafkaLog : IEventLog, ILogAdmin, IAsyncDisposable
{
    private readonly KafkaClients _clients;
    private readonly LogTopics _topics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly KafkaAppender _appender;
    private readonly KafkaReaders _readers;
    private readonly Lazy<IAdminClient> _admin;
    private int _isDisposed;

    /// <param name="options">Where the brokers are, limits and intervals.</param>
    /// <param name="topics">All that this process appends to or reads.</param>
    /// <param name="time">Measures waits.</param>
    /// <param name="logger">Told of outages and of partitions that come and go.</param>
    public KafkaLog(
        IOptions<KafkaLogOptions> options, IEnumerable<Topic> topics, TimeProvider time, ILogger<KafkaLog> logger)
    {
        (_time, _logger) = (time, logger);
        _topics = new(topics);
        _clients = new(options.Value, _topics, logger);
        _appender = new(_clients, time, logger);
        _readers = new(_clients, time, logger);
        _admin = new(_clients.Admin);
    }

    /// <summary>
    /// Keeps the log going until told to stop: then waits for what brokers have not confirmed, and refuses what comes
    /// later. Called once. Outlives outages of the brokers.
    /// </summary>
    /// <exception cref="KafkaException">Nothing can be appended any more: a new process is needed.</exception>
    public Task RunAsync(CancellationToken stop) => _appender.RunAsync(stop);

    /// <inheritdoc/>
    public int PartitionCount(string topic) => _topics.PartitionCount(topic);

    /// <inheritdoc/>
    public ValueTask<long> AppendAsync(TopicPartition to, LogRecord record, CancellationToken cancel)
    {
        var named = _clients.Partition(to);
        cancel.ThrowIfCancellationRequested();
        var size = RecordLimits.RequireFitting(record);
        return _appender.AppendAsync(named, TraceHeaders.Attach(record), size, cancel);
    }

    /// <inheritdoc/>
    public async Task<long[]> AppendAsync(
        TopicPartition to, IReadOnlyList<LogRecord> records, CancellationToken cancel)
    {
        var named = _clients.Partition(to);
        cancel.ThrowIfCancellationRequested();
        if (records.Count == 0) return [];
        var size = 0L;
        for (var i = 0; i < records.Count; i++) size += RecordLimits.RequireFitting(records[i]);
        return await _appender.AppendAsync(named, TraceHeaders.Attach(records), size, cancel);
    }

    /// <inheritdoc/>
    public async ValueTask<LogRange> RangeAsync(TopicPartition of, CancellationToken cancel)
    {
        var ranges = await RangesAsync([_clients.Partition(of)], cancel);
        return ranges[of.Partition];
    }

    /// <inheritdoc/>
    public ILogReader OpenReader(TopicPartition from, long offset)
    {
        var named = _clients.Partition(from);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return new KafkaReader(
            from, offset, cancel => RangeAsync(from, cancel), place => _readers.Open(named, place));
    }

    /// <inheritdoc/>
    public Task ConsumeAsync(
        string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work, CancellationToken stop)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(group);
        _topics.PartitionCount(topic);
        return ConsumeAsync(new KafkaGroupMember(_clients, group, topic, work, _time, _logger), stop);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<int, long>> LagAsync(
        string group, string topic, CancellationToken cancel)
    {
        var partitions = _clients.Partitions(topic);
        var asking = _admin.Value.ListConsumerGroupOffsetsAsync(
            [new ConsumerGroupTopicPartitions(_clients.Named(group), [.. partitions])],
            new() { RequestTimeout = _clients.Options.RequestTimeout });
        var committed = await asking.WaitAsync(cancel);
        var ranges = await RangesAsync(partitions, cancel);
        var lag = new Dictionary<int, long>();
        foreach (var place in committed[0].Partitions)
        {
            if (place.Error.IsError) throw new KafkaException(place.Error);
            var range = ranges[place.Partition.Value];
            var done = place.Offset == Offset.Unset ? 0 : place.Offset.Value;
            lag[place.Partition.Value] = Math.Max(0, range.End - Math.Max(range.Start, done));
        }

        return lag;
    }

    /// <inheritdoc/>
    public Task<int> EnsureTopicsAsync(CancellationToken cancel) => ToldAsync(topics => topics.EnsureAsync(cancel));

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel) =>
        ToldAsync(topics => topics.DifferencesAsync(cancel));

    /// <inheritdoc/>
    public Task RequireTopicsAsync(CancellationToken cancel) => ToldAsync(async topics =>
    {
        await topics.RequireAsync(cancel);
        return true;
    });

    /// <summary>
    /// Closes all clients. <see cref="RunAsync"/> and everything that reads must have ended. A repeat changes nothing:
    /// a container disposes of it once for every name that it is registered by.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        await _readers.DisposeAsync();
        _appender.Dispose();
        if (_admin.IsValueCreated) _admin.Value.Dispose();
    }

    /// <summary>Asks brokers about topics; what they have against it is one line for the operator.</summary>
    private async Task<T> ToldAsync<T>(Func<KafkaTopics, Task<T>> ask)
    {
        try
        {
            return await ask(new(_clients, _admin.Value, _topics));
        }
        catch (KafkaException e)
        {
            throw new LogNotReadyException($"Kafka does not answer as it should: {e.Error.Reason}.", e);
        }
    }

    private static async Task ConsumeAsync(KafkaGroupMember member, CancellationToken stop)
    {
        using (member) await member.RunAsync(stop);
    }

    private async Task<IReadOnlyDictionary<int, LogRange>> RangesAsync(
        IReadOnlyList<Confluent.Kafka.TopicPartition> of, CancellationToken cancel)
    {
        // The start before the end, or a partition could seem to end before it starts.
        var starts = await OffsetsAsync(of, OffsetSpec.Earliest(), cancel);
        var ends = await OffsetsAsync(of, OffsetSpec.Latest(), cancel);
        return starts.ToDictionary(start => start.Key, start => new LogRange(start.Value, ends[start.Key]));
    }

    private async Task<Dictionary<int, long>> OffsetsAsync(
        IReadOnlyList<Confluent.Kafka.TopicPartition> of, OffsetSpec which, CancellationToken cancel)
    {
        var asking = _admin.Value.ListOffsetsAsync(
            of.Select(partition => new TopicPartitionOffsetSpec { TopicPartition = partition, OffsetSpec = which }),
            new() { RequestTimeout = _clients.Options.RequestTimeout });
        var answer = await asking.WaitAsync(cancel);
        return answer.ResultInfos.Select(info => info.TopicPartitionOffsetError).ToDictionary(
            place => place.Partition.Value,
            place => place.Error.IsError ? throw new KafkaException(place.Error) : place.Offset.Value);
    }
}
