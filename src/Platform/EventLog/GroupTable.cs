using Npgsql;
using NpgsqlTypes;

namespace Platform;

/// <summary>A partition as the group's table has it.</summary>
internal readonly record struct Owned(long Epoch, long NextOffset);

/// <summary>What a member owns, and how many partitions are its fair share.</summary>
internal readonly record struct BeatAnswer(IReadOnlyDictionary<int, Owned> Owned, int Share);

/// <summary>What the database knows of a group, as one member writes it.</summary>
internal sealed class GroupTable(NpgsqlDataSource source, string group, string topic, PostgresLogOptions options)
{
    private readonly Guid _member = Guid.NewGuid();

    public string Group => group;

    public string Topic => topic;

    /// <param name="workingOn">Partitions that work has not ended on: they are not given back, nor taken anew.</param>
    /// <param name="isLeaving">Whether the member wants none any more.</param>
    public async Task<BeatAnswer> BeatAsync(int[] workingOn, bool isLeaving)
    {
        await using var beat = source.CreateCommand(
            "SELECT partition, epoch, next_offset, share FROM platform.log_beat($1, $2, $3, $4, $5, $6)");
        beat.CommandTimeout = (int)Math.Ceiling(options.SessionTimeout.TotalSeconds);
        beat.Parameters.Add(new NpgsqlParameter<string> { TypedValue = group });
        beat.Parameters.Add(new NpgsqlParameter<string> { TypedValue = topic });
        beat.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = _member });
        beat.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = workingOn });
        beat.Parameters.Add(new NpgsqlParameter<TimeSpan>
        {
            TypedValue = options.SessionTimeout,
            NpgsqlDbType = NpgsqlDbType.Interval,
        });
        beat.Parameters.Add(new NpgsqlParameter<bool> { TypedValue = isLeaving });
        await using var rows = await beat.ExecuteReaderAsync();
        var (owned, share) = (new Dictionary<int, Owned>(), 0);
        while (await rows.ReadAsync())
        {
            owned[rows.GetInt32(0)] = new(rows.GetInt64(1), rows.GetInt64(2));
            share = rows.GetInt32(3);
        }

        return new(owned, share);
    }

    /// <returns>False if the partition is not this member's in this epoch any more: nothing was committed.</returns>
    public async ValueTask<bool> CommitAsync(int partition, long epoch, long nextOffset, CancellationToken cancel)
    {
        await using var commit = source.CreateCommand("""
            UPDATE platform.log_positions
               SET next_offset = greatest(next_offset, $6)
             WHERE group_name = $1 AND topic = $2 AND partition = $3 AND owner = $4 AND epoch = $5
            """);
        commit.Parameters.Add(new NpgsqlParameter<string> { TypedValue = group });
        commit.Parameters.Add(new NpgsqlParameter<string> { TypedValue = topic });
        commit.Parameters.Add(new NpgsqlParameter<int> { TypedValue = partition });
        commit.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = _member });
        commit.Parameters.Add(new NpgsqlParameter<long> { TypedValue = epoch });
        commit.Parameters.Add(new NpgsqlParameter<long> { TypedValue = nextOffset });
        return await commit.ExecuteNonQueryAsync(cancel) == 1;
    }

    /// <summary>Gives back all partitions at once.</summary>
    public async Task LeaveAsync()
    {
        await using var leave = source.CreateCommand("""
            WITH gone AS (DELETE FROM platform.log_members WHERE group_name = $1 AND topic = $2 AND member = $3)
            UPDATE platform.log_positions SET owner = NULL WHERE group_name = $1 AND topic = $2 AND owner = $3
            """);
        leave.CommandTimeout = (int)Math.Ceiling(options.SessionTimeout.TotalSeconds);
        leave.Parameters.Add(new NpgsqlParameter<string> { TypedValue = group });
        leave.Parameters.Add(new NpgsqlParameter<string> { TypedValue = topic });
        leave.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = _member });
        await leave.ExecuteNonQueryAsync();
    }

    public static async ValueTask<IReadOnlyDictionary<int, long>> LagAsync(
        NpgsqlDataSource source, string group, string topic, CancellationToken cancel)
    {
        await using var query = source.CreateCommand("""
            SELECT log.partition,
                   greatest(0, log.next_offset - greatest(log.start_offset, coalesce(done.next_offset, 0)))
              FROM platform.log_partitions AS log
              LEFT JOIN platform.log_positions AS done
                ON done.group_name = $1 AND done.topic = log.topic AND done.partition = log.partition
             WHERE log.topic = $2
            """);
        query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = group });
        query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = topic });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var lag = new Dictionary<int, long>();
        while (await rows.ReadAsync(cancel)) lag[rows.GetInt32(0)] = rows.GetInt64(1);
        return lag;
    }
}

/// <summary>A partition that the group's table says is ours.</summary>
internal sealed class OwnedPartition(GroupTable table, TopicPartition partition, Owned owned, PostgresLogReader reader)
    : IOwnedPartition
{
    public TopicPartition Partition => partition;

    public long Position => owned.NextOffset;

    public long Epoch => owned.Epoch;

    public ValueTask<IReadOnlyList<StoredRecord>> ReadAsync(int countMax, TimeSpan waitMax, CancellationToken cancel) =>
        reader.ReadAsync(countMax, waitMax, cancel);

    public async ValueTask CommitAsync(long nextOffset, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(nextOffset);
        if (!await table.CommitAsync(partition.Partition, owned.Epoch, nextOffset, cancel))
            throw new PartitionLostException(partition);
    }

    public ValueTask DisposeAsync() => reader.DisposeAsync();
}
