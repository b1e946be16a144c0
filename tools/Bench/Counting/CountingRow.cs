using System.Diagnostics;
using System.Security.Cryptography;
using Npgsql;
using Platform;

namespace Bench;

/// <summary>Counting: records in memory → rows, tallies, outcomes' text, beside a raw COPY of the rows.</summary>
internal static class CountingRow
{
    public const string Name = "counting";

    private const double FloorShareMin = 0.4;

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        await using var database = MadeVotes.Database(site.ConnectionString);
        await using var owner = NpgsqlDataSource.Create(site.ConnectionString);
        var votes = new MadeVotes(1, RandomNumberGenerator.GetBytes(32));
        var (floors, batches, ours) = (new List<Run>(), new List<Run>(), new List<Run>());
        var batch = new Voting.CountVotesOptions().BatchCountMax;
        for (var run = -1; run < sizes.Runs; run++)
        {
            progress($"Counting: run {run + 1} of {sizes.Runs} ...");
            var partitions = Enumerable.Range(0, MadeVotes.Partitions)
                .Select(partition => votes.Make(partition, sizes.CountedAPartition, 0)).ToList();
            var copies = partitions.Select((records, partition) => new CopyRows(partition, records, votes.Mac))
                .ToList();
            var floor = await MeasureAsync(() => CopyAsync(null));
            var batched = await MeasureAsync(() => CopyAsync(batch));
            var us = await MeasureAsync(() => new CountInMemory(database, votes).RunAsync(partitions, cancel));
            if (run < 0) continue;
            floors.Add(floor);
            batches.Add(batched);
            ours.Add(us);

            Task CopyAsync(int? rows) => Task.WhenAll(copies.Select((copy, partition) => Task.Run(
                () => copy.RunAsync(owner, database.OfPartition(partition).Schema, rows, cancel), cancel)));
        }

        var (cpu, databaseCpu) = (ours.Median(run => run.Cpu), ours.Median(run => run.DatabaseCpu));
        return new(Name, "records in memory → rows, tallies, outcomes' text; floor: COPY of the same rows",
        [
            new("votes", "votes/s", floors.Median(run => run.PerSecond), ours.Median(run => run.PerSecond),
                new($"≥ {FloorShareMin:0 %} of floor", measure => measure.Ratio >= FloorShareMin)),
        ],
        new Dictionary<string, double>
        {
            ["votes a run"] = sizes.CountedAPartition * MadeVotes.Partitions,
            ["partitions"] = MadeVotes.Partitions,
            ["batch, votes"] = batch,
            ["COPY in such batches, rows/s"] = batches.Median(run => run.PerSecond),
            ["CPU a vote, µs"] = cpu,
            ["PostgreSQL CPU a vote, µs"] = databaseCpu,
            ["COPY: CPU a row, µs"] = floors.Median(run => run.Cpu),
            ["COPY: PostgreSQL CPU a row, µs"] = floors.Median(run => run.DatabaseCpu),
        },
        [new("count: consumer process", cpu), new("count: PostgreSQL (rows, tallies)", databaseCpu)]);

        async Task<Run> MeasureAsync(Func<Task> action)
        {
            await EmptyAsync(owner, database.Shards, cancel);
            await site.Postgres.CheckpointAsync(cancel);
            var count = sizes.CountedAPartition * MadeVotes.Partitions;
            var (cpu, databaseCpu) = (OwnCpu(), site.Postgres.CpuMicroseconds());
            var begun = Stopwatch.GetTimestamp();
            await action();
            var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            return new(
                count / seconds, (OwnCpu() - cpu) / count, (site.Postgres.CpuMicroseconds() - databaseCpu) / count);
        }
    }

    /// <summary>As if nothing had ever been counted.</summary>
    public static async Task EmptyAsync(
        NpgsqlDataSource owner, IEnumerable<ModuleShard> shards, CancellationToken cancel)
    {
        foreach (var shard in shards)
        {
            await using var command = owner.CreateCommand($"""
                TRUNCATE {shard.Schema}.ballots, {shard.Schema}.refused, {shard.Schema}.poison, {shard.Schema}.fences,
                    {shard.Schema}.tallies;
                UPDATE {shard.Schema}.positions SET next_offset = 0
                """);
            await command.ExecuteNonQueryAsync(cancel);
        }
    }

    /// <returns>CPU of this process so far, in microseconds.</returns>
    public static double OwnCpu() => Environment.CpuUsage.TotalTime.TotalMicroseconds;

    private static double Median(this List<Run> runs, Func<Run, double> figure) =>
        Statistics.Median(runs.Select(figure));

    private sealed record Run(double PerSecond, double Cpu, double DatabaseCpu);
}
