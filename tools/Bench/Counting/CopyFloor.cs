using System.Diagnostics;
using Npgsql;
using Voting;

namespace Bench;

/// <summary>Something that was done to rows, and what it took.</summary>
/// <param name="Cpu">Of this process, in microseconds a row.</param>
/// <param name="DatabaseCpu">Of PostgreSQL.</param>
internal sealed record Rate(double PerSecond, double Cpu, double DatabaseCpu)
{
    /// <param name="site">Whose server does its part of it.</param>
    /// <param name="count">Rows.</param>
    /// <param name="action">What is measured.</param>
    public static async Task<Rate> OfAsync(Site site, int count, Func<Task> action)
    {
        var (cpu, databaseCpu) = (OwnCpu(), site.Postgres.CpuMicroseconds());
        var begun = Stopwatch.GetTimestamp();
        await action();
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        return new(
            count / seconds, (OwnCpu() - cpu) / count, (site.Postgres.CpuMicroseconds() - databaseCpu) / count);
    }

    private static double OwnCpu() => Environment.CpuUsage.TotalTime.TotalMicroseconds;
}

/// <summary>COPY of finished rows into emptied tables, all partitions side by side.</summary>
internal sealed class CopyFloor(Site site, VotingDatabase database, IReadOnlyList<CopyRows> partitions)
{
    /// <param name="batch">Rows of one COPY; null: all of a partition by one.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<Rate> RunAsync(int? batch, CancellationToken cancel)
    {
        await EmptyAsync(cancel);
        await using var owner = NpgsqlDataSource.Create(site.ConnectionString);
        return await Rate.OfAsync(site, partitions.Sum(rows => rows.Count), () =>
            Task.WhenAll(partitions.Select((rows, partition) => Task.Run(
                () => rows.RunAsync(owner, database.OfPartition(partition).Schema, batch, cancel), cancel))));
    }

    /// <summary>As if nothing had ever been counted, and nothing were waiting to be written out.</summary>
    public async Task EmptyAsync(CancellationToken cancel)
    {
        await using var owner = NpgsqlDataSource.Create(site.ConnectionString);
        foreach (var shard in database.Shards)
        {
            await using var command = owner.CreateCommand($"""
                TRUNCATE {shard.Schema}.ballots, {shard.Schema}.refused, {shard.Schema}.poison, {shard.Schema}.fences,
                    {shard.Schema}.tallies;
                UPDATE {shard.Schema}.positions SET next_offset = 0
                """);
            await command.ExecuteNonQueryAsync(cancel);
        }

        await site.Postgres.CheckpointAsync(cancel);
    }
}
