using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>Polls one consumer, on a thread of its own, and brings each partition's records to its buffer.</summary>
/// <remarks>
/// The client knows no way to poll without blocking, and calls back on the thread that polls: a thread of the pool
/// would be missing there for as long as the process runs.
/// </remarks>
internal sealed partial class KafkaPump(KafkaClients clients, TimeProvider time, ILogger logger)
{
    // How long it may take until the thread sees that it is to stop.
    private const int PollMaxMs = 50;

    private readonly ConcurrentDictionary<KafkaPartition, PartitionBuffer> _buffers = new();

    public bool Has(KafkaPartition partition) => _buffers.ContainsKey(partition);

    /// <summary>Begins to take the partition's records in, before the consumer is told to read it.</summary>
    public PartitionBuffer Open(IConsumer<byte[]?, byte[]?> consumer, KafkaPartition partition)
    {
        var buffer = new PartitionBuffer(isPaused =>
        {
            if (isPaused) consumer.Pause([partition]);
            else consumer.Resume([partition]);
        }, clients.Options.ReadSizeBytesMax, time);
        _buffers[partition] = buffer;
        return buffer;
    }

    /// <summary>Takes in no more of it; reads fail from now on.</summary>
    public void Close(KafkaPartition partition, Exception why)
    {
        if (_buffers.TryRemove(partition, out var buffer)) buffer.End(why);
    }

    /// <summary>The same for all partitions.</summary>
    public void CloseAll(Exception why)
    {
        foreach (var partition in _buffers.Keys) Close(partition, why);
    }

    /// <summary>Polls until told to stop, on the thread of the caller.</summary>
    /// <exception cref="KafkaException">Brokers refuse us for good.</exception>
    public void Run(IConsumer<byte[]?, byte[]?> consumer, Func<bool> isStopped)
    {
        while (!isStopped())
        {
            try
            {
                if (consumer.Consume(PollMaxMs) is { Message: not null } result
                    && _buffers.TryGetValue(result.TopicPartition, out var buffer))
                {
                    buffer.Add(PartitionBuffer.Stored(result));
                }
            }
            catch (ConsumeException e)
            {
                Judge(e);
            }
        }
    }

    private void Judge(ConsumeException e)
    {
        var partition = e.ConsumerRecord?.TopicPartition;
        if (e.Error.Code is ErrorCode.Local_AutoOffsetReset or ErrorCode.OffsetOutOfRange
            or ErrorCode.Local_BadMsg or ErrorCode.Local_BadCompression or ErrorCode.InvalidMsg
            && partition is not null && _buffers.TryGetValue(partition, out var buffer))
        {
            // Of that partition alone: who reads it decides.
            buffer.End(new PlaceLostException($"{partition.Topic}-{partition.Partition.Value}: {e.Error.Reason}", e));
        }
        else if (!KafkaClients.IsOutage(e.Error) && e.Error.Code is not ErrorCode.Local_MaxPollExceeded)
        {
            throw new KafkaException(e.Error, e);
        }
        else
        {
            Interrupted(logger, e.Error.Code, e.Error.Reason);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Reading from Kafka is interrupted, {Code}: {Reason}")]
    private static partial void Interrupted(ILogger logger, ErrorCode code, string reason);
}

/// <summary>A partition does not have the place that was to be read, or what is there is damaged.</summary>
internal sealed class PlaceLostException(string message, Exception inner) : InvalidOperationException(message, inner);
