using System.Security.Cryptography;
using Voting;

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
        var votes = new MadeVotes(MadeVotes.Surveys(1), RandomNumberGenerator.GetBytes(32));
        var (floors, batches, ours) = (new List<Rate>(), new List<Rate>(), new List<Rate>());
        var batch = new CountVotesOptions().BatchCountMax;
        var count = sizes.CountedAPartition * MadeVotes.Partitions;
        for (var run = -1; run < sizes.Runs; run++)
        {
            progress($"Counting: run {run + 1} of {sizes.Runs} ...");
            var partitions = Enumerable.Range(0, MadeVotes.Partitions)
                .Select(partition => votes.Make(partition, sizes.CountedAPartition, 0)).ToList();
            var copy = new CopyFloor(site, database, [.. partitions.Select((records, partition) =>
                new CopyRows(partition, records, votes.Mac))]);
            var floor = await copy.RunAsync(null, cancel);
            var batched = await copy.RunAsync(batch, cancel);
            await copy.EmptyAsync(cancel);
            var us = await Rate.OfAsync(
                site, count, () => new CountInMemory(database, votes).RunAsync(partitions, cancel));
            if (run < 0) continue;
            floors.Add(floor);
            batches.Add(batched);
            ours.Add(us);
        }

        var (cpu, databaseCpu) = (ours.Median(run => run.Cpu), ours.Median(run => run.DatabaseCpu));
        return new(Name, "records in memory → rows, tallies, outcomes' text; floor: COPY of the same rows",
        [
            new("votes", "votes/s", floors.Median(run => run.PerSecond), ours.Median(run => run.PerSecond),
                new($"≥ {FloorShareMin:0 %} of floor", measure => measure.Ratio >= FloorShareMin)),
        ],
        new Dictionary<string, double>
        {
            ["votes a run"] = count,
            ["partitions"] = MadeVotes.Partitions,
            ["batch, votes"] = batch,
            ["COPY in such batches, rows/s"] = batches.Median(run => run.PerSecond),
            ["CPU a vote, µs"] = cpu,
            ["PostgreSQL CPU a vote, µs"] = databaseCpu,
            ["COPY: CPU a row, µs"] = floors.Median(run => run.Cpu),
            ["COPY: PostgreSQL CPU a row, µs"] = floors.Median(run => run.DatabaseCpu),
        },
        [new("count: consumer process", cpu), new("count: PostgreSQL (rows, tallies)", databaseCpu)]);
    }

    private static double Median(this List<Rate> runs, Func<Rate, double> figure) =>
        Statistics.Median(runs.Select(figure));
}
