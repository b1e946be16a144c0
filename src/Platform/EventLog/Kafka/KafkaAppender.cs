using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>The one producer of a process.</summary>
/// <remarks>
/// The producer never gives a record up: it sends it again, under the same sequence number, until brokers confirm it.
/// So the order of a partition is the order of the calls, whatever fails in between, and no record of unknown outcome
/// can come to stand behind a later one. Only callers give up, after <see cref="KafkaLogOptions.AppendTimeout"/>. When
/// the client finds that it can no longer keep the order (a fatal error), nothing more is taken and the process ends: a
/// second producer of this process could overtake what the first one has left on its way.
/// </remarks>
internal sealed partial class KafkaAppender(KafkaClients clients, TimeProvider time, ILogger logger) : IDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMilliseconds(100);

    // An orderly end takes less than 10 s; what brokers have not confirmed by then is of unknown outcome.
    private static readonly TimeSpan FlushMax = TimeSpan.FromSeconds(5);

    private readonly KafkaLogOptions _options = clients.Options;
    private readonly ConcurrentQueue<IKafkaAppend> _waiting = new();
    private readonly TaskCompletionSource _fatal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private IProducer<byte[]?, byte[]>? _producer;
    private int _count;
    private long _sizeBytes;
    private bool _isClosed;

    /// <param name="to">Where to.</param>
    /// <param name="record">Copied before this returns.</param>
    /// <param name="sizeBytes">Of the record.</param>
    /// <param name="cancel">Ends the wait.</param>
    public ValueTask<long> AppendAsync(KafkaPartition to, in LogRecord record, int sizeBytes, CancellationToken cancel)
    {
        var producer = Reserve(1, sizeBytes);
        var append = new KafkaAppend(time.GetTimestamp());
        var failure = TryProduce(producer, to, record, report =>
        {
            Release(1, sizeBytes);
            append.Deliver(report);
        });
        if (failure is not null)
        {
            Release(1, sizeBytes);
            throw failure;
        }

        _waiting.Enqueue(append);
        append.WaitUntil(cancel);
        return append.Answer;
    }

    /// <summary>The same for several records, in their order.</summary>
    public Task<long[]> AppendAsync(
        KafkaPartition to, IReadOnlyList<LogRecord> records, long sizeBytes, CancellationToken cancel)
    {
        var producer = Reserve(records.Count, sizeBytes);
        var append = new KafkaAppends(records.Count, time.GetTimestamp());
        var left = records.Count;
        for (var i = 0; i < records.Count; i++)
        {
            var index = i;
            var failure = TryProduce(producer, to, records[i], report =>
            {
                // The bytes of a call come free together: nobody has to look at each record's size again.
                if (Interlocked.Decrement(ref left) == 0) Release(records.Count, sizeBytes);
                append.Deliver(index, report);
            });
            if (failure is null) continue;

            // What was handed over stays so: the first few may become durable, and nothing after them.
            if (Interlocked.Add(ref left, i - records.Count) == 0) Release(records.Count, sizeBytes);
            if (i == 0) throw failure;
            append.Fail(AppendFailure.Unknown, failure.Message, failure.InnerException);
            break;
        }

        _waiting.Enqueue(append);
        return append.Answer.WaitAsync(cancel);
    }

    /// <summary>
    /// Keeps callers from waiting too long, until told to stop; then waits for what brokers have not confirmed yet.
    /// Whatever is called later is refused.
    /// </summary>
    /// <exception cref="KafkaException">The producer is of no more use.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested && !_fatal.Task.IsCompleted)
            {
                await Task.WhenAny(Task.Delay(SweepInterval, time, stop), _fatal.Task);
                FailLate();
            }
        }
        finally
        {
            lock (_lock) _isClosed = true;
            if (_producer is { } producer && !_fatal.Task.IsCompleted) await FlushAsync(producer);
            while (_waiting.TryDequeue(out var append))
                append.Fail(AppendFailure.Unknown, "The log has stopped.", null);
        }

        if (_fatal.Task.IsCompleted) await _fatal.Task;
    }

    public void Dispose()
    {
        lock (_lock) _isClosed = true;
        _producer?.Dispose();
    }

    /// <exception cref="AppendFailedException">Overloaded, or not persisted once the log has stopped.</exception>
    private IProducer<byte[]?, byte[]> Reserve(int count, long sizeBytes)
    {
        lock (_lock)
        {
            if (_isClosed || _fatal.Task.IsCompleted)
                throw new AppendFailedException(AppendFailure.NotPersisted, "The log has stopped.");
            // One call alone is always taken, or a long list could never be appended at all.
            if (_count > 0 && (_count + count > _options.QueueCountMax
                    || _sizeBytes + sizeBytes > _options.QueueSizeBytesMax))
            {
                throw new AppendFailedException(
                    AppendFailure.Overloaded, $"{_count} records of {_sizeBytes} bytes wait to be appended already.");
            }

            _count += count;
            _sizeBytes += sizeBytes;
            return _producer ??= clients.Producer(EndForGood);
        }
    }

    private void Release(int count, long sizeBytes)
    {
        lock (_lock)
        {
            _count -= count;
            _sizeBytes -= sizeBytes;
        }
    }

    /// <returns>Why the client did not take the record; null when it did.</returns>
    private static AppendFailedException? TryProduce(
        IProducer<byte[]?, byte[]> producer, KafkaPartition to, in LogRecord record,
        Action<DeliveryReport<byte[]?, byte[]>> delivered)
    {
        var message = new Message<byte[]?, byte[]>
        {
            // No key is shorter than an empty one, and means the same to us; no value would mean "deleted".
            Key = record.Key.IsEmpty ? null : Bytes(record.Key),
            Value = Bytes(record.Value),
            Headers = Headers(record.Headers),
        };
        try
        {
            producer.Produce(to, message, delivered);
            return null;
        }
        catch (ProduceException<byte[]?, byte[]> e)
        {
            // Thrown from here it was never in the queue.
            var failure = e.Error.Code switch
            {
                ErrorCode.Local_QueueFull => AppendFailure.Overloaded,
                ErrorCode.MsgSizeTooLarge => AppendFailure.TooLarge,
                _ => AppendFailure.NotPersisted,
            };
            return new(failure, KafkaFailure.Message, e);
        }
    }

    /// <summary>Answers calls that have waited too long. They stand in the order in which they were called.</summary>
    private void FailLate()
    {
        var count = 0;
        while (_waiting.TryPeek(out var append)
            && (append.IsAnswered || time.GetElapsedTime(append.BegunAt) >= _options.AppendTimeout))
        {
            if (!append.IsAnswered) count++;
            append.Fail(
                AppendFailure.Unknown, $"Kafka did not confirm it within {_options.AppendTimeout}.", null);
            _waiting.TryDequeue(out _);
        }

        if (count > 0) Unconfirmed(logger, count);
    }

    private static async Task FlushAsync(IProducer<byte[]?, byte[]> producer) =>
        // Blocks its thread, as the client offers nothing else; once, at the end.
        await Task.Factory.StartNew(
            () => producer.Flush(FlushMax), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

    private void EndForGood(Error error)
    {
        ProducerFailed(logger, error.Code, error.Reason);
        _fatal.TrySetException(new KafkaException(error));
    }

    private static byte[] Bytes(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out var whole) && whole.Offset == 0 && whole.Count == whole.Array!.Length
            ? whole.Array
            : memory.ToArray();

    private static Headers? Headers(LogHeader[]? headers)
    {
        if (headers is null or []) return null;
        var all = new Headers();
        foreach (var header in headers) all.Add(header.Name, Bytes(header.Value));
        return all;
    }

    [LoggerMessage(LogLevel.Error, "Kafka did not confirm {Count} appends in time; they may still come to be there")]
    private static partial void Unconfirmed(ILogger logger, int count);

    [LoggerMessage(LogLevel.Critical, "Kafka's producer can no longer keep the order of records, {Code}: {Reason}")]
    private static partial void ProducerFailed(ILogger logger, ErrorCode code, string reason);
}
