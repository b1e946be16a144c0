using System.Buffers;
using System.Data;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Npgsql;
using NpgsqlTypes;

namespace Platform;

/// <summary>
/// What one commit brings to the log: the records of many calls, by partition. Filled, sent, answered and cleared by
/// the appender, over and over.
/// </summary>
internal sealed class AppendCommit(PostgresLogOptions options)
{
    private readonly List<Slice> _slices = [];
    private readonly Dictionary<TopicPartition, int> _places = [];
    private readonly List<Batch> _batches = [];
    private readonly List<string> _topics = [];
    private readonly List<int> _partitions = [];
    private readonly List<int> _counts = [];
    private readonly List<ReadOnlyMemory<byte>> _payloads = [];
    private readonly List<byte[]> _buffers = [];
    private int _count;
    private int _sizeBytes;

    public bool IsEmpty => _count == 0;

    public int Count => _count;

    public bool HasRoomFor(int sizeBytes) => _count == 0
        || (_count < options.CommitCountMax && _sizeBytes + sizeBytes <= options.CommitSizeBytesMax);

    public void Reserve(int sizeBytes)
    {
        _count++;
        _sizeBytes += sizeBytes;
    }

    public void Add(PendingAppend append, int from, int count)
    {
        if (!_places.TryGetValue(append.To, out var place))
        {
            _places[append.To] = place = _batches.Count;
            _batches.Add(new() { To = append.To, SizeBytes = RecordCodec.PreambleSizeBytes });
        }

        _slices.Add(new(append, from, count, place));
        ref var batch = ref CollectionsMarshal.AsSpan(_batches)[place];
        batch.Count += count;
        for (var i = 0; i < count; i++) batch.SizeBytes += RecordCodec.SizeBytes(append.Record(from + i));
    }

    /// <summary>Sends everything as one statement, which is one commit.</summary>
    /// <exception cref="NpgsqlException">See <see cref="LogAppender"/> for what it says of the records.</exception>
    public async Task SendAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        Encode();
        await using var command = new NpgsqlCommand(
            "SELECT place, first_offset FROM platform.log_append($1, $2, $3, $4)", connection);
        command.Parameters.Add(new NpgsqlParameter<List<string>>
        {
            TypedValue = _topics,
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
        });
        command.Parameters.Add(new NpgsqlParameter<List<int>> { TypedValue = _partitions });
        command.Parameters.Add(new NpgsqlParameter<List<int>> { TypedValue = _counts });
        command.Parameters.Add(new NpgsqlParameter<List<ReadOnlyMemory<byte>>> { TypedValue = _payloads });
        await using var answer = await command.ExecuteReaderAsync(CommandBehavior.Default, cancel);
        while (await answer.ReadAsync(cancel))
            CollectionsMarshal.AsSpan(_batches)[answer.GetInt32(0) - 1].NextOffset = answer.GetInt64(1);
    }

    /// <summary>Answers every call with its offsets; says of each partition where it ends now.</summary>
    public void Confirm(LogEnds ends)
    {
        foreach (var batch in _batches) ends.Advance(batch.To, batch.NextOffset + batch.Count);
        foreach (var slice in _slices)
        {
            ref var batch = ref CollectionsMarshal.AsSpan(_batches)[slice.Place];
            slice.Append.Confirm(slice.From, slice.Count, batch.NextOffset);
            batch.NextOffset += slice.Count;
        }
    }

    /// <summary>Answers every call with a failure.</summary>
    public void Fail(AppendFailure failure, string message, Exception? inner)
    {
        foreach (var slice in _slices) slice.Append.Fail(failure, message, inner);
    }

    public void Clear()
    {
        foreach (var buffer in _buffers) ArrayPool<byte>.Shared.Return(buffer);
        _slices.Clear();
        _places.Clear();
        _batches.Clear();
        _topics.Clear();
        _partitions.Clear();
        _counts.Clear();
        _payloads.Clear();
        _buffers.Clear();
        (_count, _sizeBytes) = (0, 0);
    }

    private void Encode()
    {
        foreach (ref var batch in CollectionsMarshal.AsSpan(_batches))
        {
            var buffer = ArrayPool<byte>.Shared.Rent(batch.SizeBytes);
            _buffers.Add(buffer);
            _topics.Add(batch.To.Topic);
            _partitions.Add(batch.To.Partition);
            _counts.Add(batch.Count);
            _payloads.Add(buffer.AsMemory(0, batch.SizeBytes));
            batch.WrittenBytes = RecordCodec.WritePreamble(buffer);
        }

        foreach (var slice in _slices)
        {
            ref var batch = ref CollectionsMarshal.AsSpan(_batches)[slice.Place];
            for (var i = 0; i < slice.Count; i++)
            {
                var free = _buffers[slice.Place].AsSpan(batch.WrittenBytes);
                batch.WrittenBytes += RecordCodec.Write(slice.Append.Record(slice.From + i), free);
            }
        }

        Debug.Assert(_batches.TrueForAll(batch => batch.WrittenBytes == batch.SizeBytes), "A size is wrong.");
    }

    private readonly record struct Slice(PendingAppend Append, int From, int Count, int Place);

    private struct Batch
    {
        public TopicPartition To;
        public int Count;
        public int SizeBytes;
        public int WrittenBytes;
        public long NextOffset;
    }
}
