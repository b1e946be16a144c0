using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;
using Voting;

namespace Bench;

/// <summary>The benchmark's own way into an installation's log, past every api process.</summary>
internal sealed class LogAccess : IAsyncDisposable
{
    private readonly PostgresLog _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public LogAccess(string connectionString)
    {
        _log = new(
            Options.Create(new DatabaseOptions { ConnectionString = connectionString }),
            Options.Create(new PostgresLogOptions { QueueCountMax = 1_000_000, QueueSizeBytesMax = int.MaxValue }),
            VotingTopics.All(MadeVotes.Partitions), TimeProvider.System, NullLogger<PostgresLog>.Instance);
        _running = _log.RunAsync(_stop.Token);
    }

    public IEventLog Log => _log;

    /// <summary>Appends in batches of a thousand; returns when all are durable.</summary>
    public async Task AppendAsync(TopicPartition to, IReadOnlyList<StoredRecord> records, CancellationToken cancel)
    {
        foreach (var chunk in records.Chunk(1_000))
        {
            await _log.AppendAsync(
                to, [.. chunk.Select(record => new LogRecord(record.Key, record.Value, record.Headers))], cancel);
        }
    }

    /// <returns>How many records a topic has, of all partitions.</returns>
    public async Task<long> CountAsync(string topic, CancellationToken cancel)
    {
        var count = 0L;
        for (var partition = 0; partition < _log.PartitionCount(topic); partition++)
            count += (await _log.RangeAsync(new(topic, partition), cancel)).End;
        return count;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _log.DisposeAsync();
        _stop.Dispose();
    }
}

internal static class InstalledKeys
{
    /// <returns>What the installation's api processes write and its consumers check.</returns>
    public static async Task<byte[]> MacKeyAsync(string connectionString, string masterKey, CancellationToken cancel)
    {
        const string purpose = "vote-mac";
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var query = source.CreateCommand(
            "SELECT key_id, wrapped_key FROM platform.keys WHERE purpose = $1 ORDER BY number DESC LIMIT 1");
        query.Parameters.Add(new() { Value = purpose });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        if (!await rows.ReadAsync(cancel)) throw new BrokenOffException($"The installation has no key for {purpose}.");
        return new MasterKey(Options.Create(new KeyOptions { MasterKey = masterKey }))
            .Unwrap(rows.GetFieldValue<byte[]>(1), $"key:{purpose}:{rows.GetString(0)}");
    }
}
