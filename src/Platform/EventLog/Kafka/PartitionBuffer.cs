using System.Runtime.ExceptionServices;
using Confluent.Kafka;

namespace Platform;

/// <summary>
/// What was read ahead of one partition: filled by the thread that polls, emptied by the one who reads it. A full one
/// pauses its partition and nothing else.
/// </summary>
/// <param name="pause">Stops, or goes on with, reading ahead.</param>
/// <param name="sizeBytesMax">Paused above; goes on below half of it.</param>
/// <param name="time">Measures waits.</param>
internal sealed class PartitionBuffer(Action<bool> pause, int sizeBytesMax, TimeProvider time)
{
    // Small records are held back by their number: each costs some 200 bytes besides its own.
    private const int CountMax = 10_000;

    private readonly Queue<StoredRecord> _records = new();
    private readonly Lock _lock = new();
    private readonly Signal _changed = new(time);
    private ExceptionDispatchInfo? _end;
    private long _sizeBytes;
    private bool _isPaused;
    private bool _isEnded;

    /// <summary>Takes a record in. What comes after the end is dropped.</summary>
    public void Add(in StoredRecord record)
    {
        lock (_lock)
        {
            if (_isEnded) return;
            _records.Enqueue(record);
            _sizeBytes += Size(record);
            if (!_isPaused && IsAbove(1))
            {
                pause(true);
                _isPaused = true;
            }
        }

        _changed.Set();
    }

    /// <summary>Nothing more comes, and what is there is no longer given out: reads fail.</summary>
    public void End(Exception why)
    {
        lock (_lock)
        {
            if (_isEnded) return;
            _isEnded = true;
            // The client keeps a pause across assignments: nobody else would ever lift it.
            if (_isPaused) pause(false);
            _isPaused = false;
            _end = ExceptionDispatchInfo.Capture(why);
            _records.Clear();
        }

        _changed.Set();
    }

    /// <summary>As of <see cref="ILogReader.ReadAsync"/>; one reads at a time.</summary>
    public async ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(
        int countMax, TimeSpan waitMax, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(countMax, 1);
        cancel.ThrowIfCancellationRequested();
        for (var began = time.GetTimestamp(); ;)
        {
            if (Take(countMax) is { Count: > 0 } taken) return taken;
            var rest = waitMax - time.GetElapsedTime(began);
            if (rest <= TimeSpan.Zero) return [];
            await _changed.WaitAsync(rest, cancel);
            cancel.ThrowIfCancellationRequested();
        }
    }

    private List<StoredRecord> Take(int countMax)
    {
        lock (_lock)
        {
            _end?.Throw();
            var taken = new List<StoredRecord>(Math.Min(countMax, _records.Count));
            while (taken.Count < countMax && _records.TryDequeue(out var record))
            {
                _sizeBytes -= Size(record);
                taken.Add(record);
            }

            if (_isPaused && !IsAbove(2))
            {
                pause(false);
                _isPaused = false;
            }

            return taken;
        }
    }

    private bool IsAbove(int divisor) =>
        _sizeBytes > sizeBytesMax / divisor || _records.Count > CountMax / divisor;

    private static int Size(in StoredRecord record) => record.Key.Length + record.Value.Length;

    public static StoredRecord Stored(ConsumeResult<byte[]?, byte[]?> result) => new(
        result.Offset.Value, result.Message.Key, result.Message.Value, Headers(result.Message.Headers));

    private static LogHeader[] Headers(Headers? headers) => headers is null or { Count: 0 }
        ? []
        : [.. headers.Select(header => new LogHeader(header.Key, header.GetValueBytes()))];
}
