using System.Diagnostics;
using System.Security.Cryptography;
using Npgsql;
using Voting;

namespace Bench;

/// <summary>Archiving: from the log to sealed segments, by a process that does nothing else.</summary>
internal static class ArchivingRow
{
    public const string Name = "archiving";

    private const double EntriesACoreMin = 50_000;

    // Nothing is sealed before a segment is full, however slow the machine is: of a quick run none would ever be.
    private static readonly Dictionary<string, string> Full = new() { ["Audit__SealAfter"] = "00:01:00" };

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        progress("Archiving: filling the log ...");
        var votes = new MadeVotes(MadeVotes.Surveys(1), RandomNumberGenerator.GetBytes(32));
        var windows = sizes.Runs + 1;
        var window = sizes.ArchivedAPartition * MadeVotes.Partitions * ArchivedVotes.EntriesAVote;
        await using (var access = new LogAccess(site.ConnectionString))
        {
            await Parallel.ForAsync(0, MadeVotes.Partitions, cancel, async (partition, stop) =>
            {
                var (made, outcomes) = ArchivedVotes.Make(votes, partition, sizes.ArchivedAPartition * windows);
                await access.AppendAsync(new(VotingTopics.Votes, partition), made, stop);
                await access.AppendAsync(new(VotingTopics.Outcomes, partition), outcomes, stop);
            });
        }

        var floor = await ArchivedVotes.FloorAsync(site, votes, sizes.ArchivedAPartition, sizes.Runs, cancel);
        progress("Archiving: watching a process that seals ...");
        var audit = await site.StartHostAsync(
            "audit", sizes.Quick ? new Dictionary<string, string>() : Full, cancel);
        var seen = await WatchAsync(site, audit, window, windows, cancel);
        // The first one also loads and compiles.
        var runs = seen.Zip(seen.Skip(1), Run.Between).Skip(seen.Count > 2 ? 1 : 0).ToList();
        var (cpu, databaseCpu) = (runs.Median(run => run.Cpu), runs.Median(run => run.DatabaseCpu));
        await ArchivedVotes.SealedAsync(site, (long)window * windows, cancel);
        var (bytes, checkpoints) = ArchivedVotes.Stored(site, (long)window * windows);
        return new(Name, "log → sealed segments, by role audit; floor: SHA-256 of entry, link, leaf and node",
        [
            new("entries a core", "entries/s", 1_000_000 / floor, 1_000_000 / cpu,
                new($"≥ {EntriesACoreMin:#,0}", measure => measure.Us >= EntriesACoreMin)),
            new("stored a vote, with its outcome", "bytes", null, ArchivedVotes.EntriesAVote * bytes, null),
        ],
        new Dictionary<string, double>
        {
            ["entries/s, all cores"] = runs.Median(run => run.PerSecond),
            ["CPU an entry, µs"] = cpu,
            ["PostgreSQL CPU an entry, µs"] = databaseCpu,
            ["entries a segment"] = 1 / checkpoints,
        },
        [
            new("archive: audit process", ArchivedVotes.EntriesAVote * cpu),
            new("archive: PostgreSQL", ArchivedVotes.EntriesAVote * databaseCpu),
        ]);
    }

    /// <returns>What was seen first, and then each time another window's entries were sealed.</returns>
    private static async Task<List<Seen>> WatchAsync(
        Site site, HostProgram audit, int window, int windows, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(site.ConnectionString);
        await using var query = source.CreateCommand(
            "SELECT coalesce(sum(size), 0)::bigint FROM audit.heads WHERE log LIKE 'votes-%'");
        var seen = new List<Seen>();
        while (seen.Count <= windows)
        {
            var count = (long)(await query.ExecuteScalarAsync(cancel))!;
            if (count < seen.Count * (long)window)
            {
                await Task.Delay(Look, cancel);
                continue;
            }

            seen.Add(new(
                Stopwatch.GetTimestamp(), count, audit.Process.CpuMicroseconds(), site.Postgres.CpuMicroseconds()));
        }

        return seen;
    }

    private static double Median(this List<Run> runs, Func<Run, double> figure) =>
        Statistics.Median(runs.Select(figure));

    private sealed record Seen(long At, long Count, double Cpu, double DatabaseCpu);

    private sealed record Run(double PerSecond, double Cpu, double DatabaseCpu)
    {
        public static Run Between(Seen before, Seen after)
        {
            var entries = Math.Max(1, after.Count - before.Count);
            return new(
                entries / Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds,
                // A process's time is counted in ticks: never none.
                Math.Max(0.01, (after.Cpu - before.Cpu) / entries), (after.DatabaseCpu - before.DatabaseCpu) / entries);
        }
    }
}
