using System.Collections.Frozen;
using Npgsql;

namespace Platform;

/// <summary>The topics that this process knows, and their partitions in the database.</summary>
internal sealed class LogTopics
{
    private readonly FrozenDictionary<string, Topic> _topics;

    /// <exception cref="InvalidOperationException">Two different topics have the same name.</exception>
    public LogTopics(IEnumerable<Topic> topics)
    {
        var known = topics.Distinct().ToArray();
        var twice = known.CountBy(topic => topic.Name).FirstOrDefault(name => name.Value > 1).Key;
        if (twice is not null) throw new InvalidOperationException($"Two different topics are named {twice}.");
        _topics = known.ToFrozenDictionary(topic => topic.Name);
    }

    public IEnumerable<Topic> All => _topics.Values;

    /// <exception cref="InvalidOperationException">No module of this process registered it.</exception>
    public int PartitionCount(string topic) => _topics.TryGetValue(topic, out var known)
        ? known.Partitions
        : throw new InvalidOperationException($"There is no topic {topic}.");

    public void RequireExisting(TopicPartition partition)
    {
        var count = PartitionCount(partition.Topic);
        if ((uint)partition.Partition >= (uint)count)
        {
            throw new ArgumentOutOfRangeException(
                nameof(partition), partition, $"The topic has the partitions 0 to {count - 1}.");
        }
    }

    /// <summary>Creates the partitions of topics that have none.</summary>
    /// <returns>How many topics were created.</returns>
    /// <exception cref="LogNotReadyException">A topic has another number of partitions already; nothing was
    /// done.</exception>
    public async Task<int> EnsureAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        // Two that create at once wait for each other; appends and reads go on.
        await using (var guard = new NpgsqlCommand("SELECT pg_advisory_xact_lock(7231403)", connection, transaction))
            await guard.ExecuteNonQueryAsync(cancel);

        var found = await CountPartitionsAsync(connection, cancel);
        var created = 0;
        foreach (var topic in All)
        {
            if (found.TryGetValue(topic.Name, out var count))
            {
                RequireSame(topic, count);
                continue;
            }

            await using var create = new NpgsqlCommand("""
                INSERT INTO platform.log_partitions (topic, partition)
                SELECT $1, partition FROM generate_series(0, $2 - 1) AS partition
                """, connection, transaction);
            create.Parameters.Add(new() { Value = topic.Name });
            create.Parameters.Add(new() { Value = topic.Partitions });
            created += await create.ExecuteNonQueryAsync(cancel) > 0 ? 1 : 0;
        }

        await transaction.CommitAsync(cancel);
        return created;
    }

    /// <exception cref="LogNotReadyException">The database does not have the topics as this process knows
    /// them.</exception>
    public async Task VerifyAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        if (await DifferencesAsync(connection, cancel) is [var first, ..]) throw new LogNotReadyException(first);
    }

    /// <returns>How the database differs from the topics as this process knows them, one sentence each.</returns>
    public async Task<IReadOnlyList<string>> DifferencesAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        try
        {
            var found = await CountPartitionsAsync(connection, cancel);
            return [.. All.OrderBy(topic => topic.Name, StringComparer.Ordinal)
                .Select(topic => Difference(topic, found.GetValueOrDefault(topic.Name))).OfType<string>()];
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable
            or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.InsufficientPrivilege)
        {
            return ["The database has no event log: run migrate."];
        }
    }

    private static async Task<Dictionary<string, int>> CountPartitionsAsync(
        NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand(
            "SELECT topic, count(*)::integer FROM platform.log_partitions GROUP BY topic", connection);
        await using var topics = await query.ExecuteReaderAsync(cancel);
        var counts = new Dictionary<string, int>();
        while (await topics.ReadAsync(cancel)) counts[topics.GetString(0)] = topics.GetInt32(1);
        return counts;
    }

    private static void RequireSame(Topic topic, int count)
    {
        if (Difference(topic, count) is { } difference) throw new LogNotReadyException(difference);
    }

    private static string? Difference(Topic topic, int count) => count switch
    {
        0 => $"The database has no topic {topic.Name}: run migrate.",
        _ when count == topic.Partitions => null,
        _ => $"Topic {topic.Name} was created with {count} partitions; it cannot have {topic.Partitions} now.",
    };
}
