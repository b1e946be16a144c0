using Npgsql;

namespace Platform;

/// <summary>Reads one partition. Asks the database only when there is something to read.</summary>
internal sealed class PostgresLogReader : ILogReader
{
    private readonly Queue<StoredRecord> _fetched = new();
    private readonly TopicPartition _from;
    private readonly NpgsqlDataSource _source;
    private readonly LogEnds _ends;
    private readonly LogEnds.End _end;
    private readonly int _sizeBytesMax;
    private readonly TimeProvider _time;
    private long _nextOffset;
    private bool _hasLooked;
    private bool _isDisposed;

    public PostgresLogReader(
        TopicPartition from, long offset, NpgsqlDataSource source, LogEnds ends, int sizeBytesMax, TimeProvider time)
    {
        (_from, _nextOffset, _source, _ends, _sizeBytesMax, _time) = (from, offset, source, ends, sizeBytesMax, time);
        _end = ends.Of(from);
        ends.Watch(from.Topic);
    }

    public async ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(
        int countMax, TimeSpan waitMax, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(countMax, 1);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        cancel.ThrowIfCancellationRequested();

        if (!_hasLooked || waitMax <= TimeSpan.Zero || (_fetched.Count < countMax && _end.NextOffset > _nextOffset))
            await FetchAsync(countMax - _fetched.Count, cancel);
        for (var began = _time.GetTimestamp(); _fetched.Count == 0; await FetchAsync(countMax, cancel))
        {
            var rest = waitMax - _time.GetElapsedTime(began);
            if (rest <= TimeSpan.Zero) return [];
            var moved = _end.MovedBeyond(_nextOffset);
            await moved.WaitAsync(rest, _time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancel.ThrowIfCancellationRequested();
            if (!moved.IsCompleted) return [];
        }

        var records = new StoredRecord[Math.Min(countMax, _fetched.Count)];
        for (var i = 0; i < records.Length; i++) records[i] = _fetched.Dequeue();
        return records;
    }

    public ValueTask DisposeAsync()
    {
        if (!_isDisposed) _ends.Unwatch(_from.Topic);
        _isDisposed = true;
        return ValueTask.CompletedTask;
    }

    /// <summary>Takes stored batches in; nothing has changed if it fails.</summary>
    private async ValueTask FetchAsync(int countMax, CancellationToken cancel)
    {
        if (countMax < 1) return;
        var batches = new List<(long FirstOffset, int Count, byte[] Payload)>();
        await using (var query = _source.CreateCommand(
            "SELECT first_offset, record_count, payload FROM platform.log_read($1, $2, $3, $4, $5)"))
        {
            query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _from.Topic });
            query.Parameters.Add(new NpgsqlParameter<int> { TypedValue = _from.Partition });
            query.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _nextOffset });
            query.Parameters.Add(new NpgsqlParameter<int> { TypedValue = countMax });
            query.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _sizeBytesMax });
            await using var rows = await query.ExecuteReaderAsync(cancel);
            while (await rows.ReadAsync(cancel))
                batches.Add((rows.GetInt64(0), rows.GetInt32(1), rows.GetFieldValue<byte[]>(2)));
        }

        if (batches.Count == 0 && (!_hasLooked || _end.NextOffset > _nextOffset)) await FindPlaceAsync(cancel);
        _hasLooked = true;
        foreach (var (firstOffset, count, payload) in batches)
        {
            RecordCodec.Read(payload, firstOffset, count, _nextOffset, _fetched);
            _nextOffset = firstOffset + count;
        }
    }

    /// <summary>Nothing is there: passes over what retention dropped, and notices a log that was set back.</summary>
    private async ValueTask FindPlaceAsync(CancellationToken cancel)
    {
        var reached = Math.Max(_nextOffset, _end.NextOffset);
        var range = await RangeAsync(_source, _from, cancel);
        if (range.End < reached)
        {
            throw new InvalidOperationException(
                $"{_from} ends at {range.End} but had reached {reached}: the log has lost records.");
        }

        _nextOffset = Math.Max(_nextOffset, range.Start);
    }

    public static async ValueTask<LogRange> RangeAsync(
        NpgsqlDataSource source, TopicPartition of, CancellationToken cancel)
    {
        await using var query = source.CreateCommand(
            "SELECT start_offset, next_offset FROM platform.log_partitions WHERE topic = $1 AND partition = $2");
        query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = of.Topic });
        query.Parameters.Add(new NpgsqlParameter<int> { TypedValue = of.Partition });
        await using var row = await query.ExecuteReaderAsync(cancel);
        return await row.ReadAsync(cancel)
            ? new(row.GetInt64(0), row.GetInt64(1))
            : throw new InvalidOperationException($"The database has no partition {of}: run migrate.");
    }
}
