using Npgsql;
using Testing;

namespace ChaosTests;

/// <summary>The log of an installation under test, as its tests see it: not through the product.</summary>
internal abstract class SiteLog
{
    /// <returns>Settings that name it; it is ready for use, but for what <see cref="PrepareAsync"/> does.</returns>
    public abstract Task<Dictionary<string, string>> SettingsAsync();

    /// <summary>What is to be done before the first process starts.</summary>
    public virtual Task PrepareAsync(Installation installation) => Task.CompletedTask;

    /// <returns>All records of a topic as they lie there, by partition and offset.</returns>
    public abstract Task<List<LoggedRecord>> ReadAsync(NpgsqlDataSource database, string topic);

    /// <returns>Whether the group that counts has committed every record of <c>votes</c>.</returns>
    public abstract Task<bool> IsSettledAsync(NpgsqlDataSource database);
}

/// <summary>The log in the control database.</summary>
internal sealed class PostgresSiteLog : SiteLog
{
    public override Task<Dictionary<string, string>> SettingsAsync() => Task.FromResult(new Dictionary<string, string>
    {
        ["Log__Postgres__HeartbeatInterval"] = "00:00:00.250",
        ["Log__Postgres__SessionTimeout"] = "00:00:03",
    });

    public override Task<List<LoggedRecord>> ReadAsync(NpgsqlDataSource database, string topic) =>
        LogTables.ReadAsync(database, topic);

    public override async Task<bool> IsSettledAsync(NpgsqlDataSource database)
    {
        await using var query = database.CreateCommand("""
            SELECT count(*) FROM platform.log_partitions AS log
            LEFT JOIN platform.log_positions AS done
                ON done.topic = log.topic AND done.partition = log.partition AND done.group_name = 'count'
            WHERE log.topic = 'votes' AND log.next_offset <> coalesce(done.next_offset, 0)
            """);
        return (long)(await query.ExecuteScalarAsync())! == 0;
    }
}
