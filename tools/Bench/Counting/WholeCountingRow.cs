using System.Diagnostics;
using Npgsql;
using Voting;

namespace Bench;

/// <summary>Counting as a consumer does it: from the log to rows, tallies, and outcomes in the log.</summary>
internal static class WholeCountingRow
{
    public const string Name = "counting-whole";

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        progress("Counting from the log: filling it ...");
        var backoffice = await site.StartHostAsync("backoffice", cancel);
        var paper = await site.PublishAsync(backoffice, cancel);
        var votes = new MadeVotes(
            [MadeVotes.Of(paper)], await InstalledKeys.MacKeyAsync(site.ConnectionString, site.MasterKey, cancel));
        await using var access = new LogAccess(site.ConnectionString);
        var windows = sizes.Runs + 1;
        var floor = new List<double>();
        await using (var database = MadeVotes.Database(site.ConnectionString))
        {
            var all = Enumerable.Range(0, MadeVotes.Partitions)
                .Select(partition => votes.Make(partition, sizes.WatchedAPartition * windows, 0)).ToList();
            await Task.WhenAll(all.Select((records, partition) =>
                access.AppendAsync(new(VotingTopics.Votes, partition), records, cancel)));
            var copies = new CopyFloor(site, database, [.. all.Select((records, partition) =>
                new CopyRows(partition, records[..sizes.WatchedAPartition], votes.Mac))]);
            for (var run = -1; run < sizes.Runs; run++)
            {
                var rate = await copies.RunAsync(null, cancel);
                if (run >= 0) floor.Add(rate.PerSecond);
            }

            await copies.EmptyAsync(cancel);
        }

        progress("Counting from the log: watching a consumer ...");
        var consumer = await site.StartHostAsync("consumer", cancel);
        var window = sizes.WatchedAPartition * MadeVotes.Partitions;
        var seen = await WatchAsync(site, consumer, window, windows, cancel);
        // The first one also loads and compiles.
        var runs = seen.Zip(seen.Skip(1), Run.Between).Skip(seen.Count > 2 ? 1 : 0).ToList();
        var (cpu, databaseCpu) = (runs.Median(run => run.Cpu), runs.Median(run => run.DatabaseCpu));
        return new(Name, "log → rows, tallies, outcomes in the log, by a consumer; floor: COPY of the rows",
            [new("votes", "votes/s", Statistics.Median(floor), runs.Median(run => run.PerSecond), null)],
            new Dictionary<string, double>
            {
                ["votes a run"] = window,
                ["CPU a vote, µs"] = cpu,
                ["PostgreSQL CPU a vote, µs"] = databaseCpu,
            },
            [new("count from the log: consumer process", cpu), new("count from the log: PostgreSQL", databaseCpu)]);
    }

    /// <returns>What was seen first, and then each time another window's outcomes were said.</returns>
    private static async Task<List<Seen>> WatchAsync(
        Site site, HostProgram consumer, int window, int windows, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(site.ConnectionString);
        await using var query = source.CreateCommand(
            "SELECT sum(next_offset)::bigint FROM platform.log_partitions WHERE topic = $1");
        query.Parameters.Add(new() { Value = VotingTopics.Outcomes });
        var seen = new List<Seen>();
        while (seen.Count <= windows)
        {
            var said = (long)(await query.ExecuteScalarAsync(cancel))!;
            if (said < Math.Max(1, seen.Count * (long)window))
            {
                if (seen.Count > 0 || said == 0) await Task.Delay(Look, cancel);
                continue;
            }

            seen.Add(new(
                Stopwatch.GetTimestamp(), said, consumer.Process.CpuMicroseconds(), site.Postgres.CpuMicroseconds()));
        }

        return seen;
    }

    private static double Median(this List<Run> runs, Func<Run, double> figure) =>
        Statistics.Median(runs.Select(figure));

    private sealed record Seen(long At, long Said, double Cpu, double DatabaseCpu);

    private sealed record Run(double PerSecond, double Cpu, double DatabaseCpu)
    {
        public static Run Between(Seen before, Seen after)
        {
            var votes = Math.Max(1, after.Said - before.Said);
            return new(
                votes / Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds, (after.Cpu - before.Cpu) / votes,
                (after.DatabaseCpu - before.DatabaseCpu) / votes);
        }
    }
}
