using System.Diagnostics;
using System.Security.Cryptography;
using Npgsql;
using Platform;
using Voting;

namespace Bench;

/// <summary>Archiving: from the log to sealed segments, by a process that does nothing else.</summary>
internal static class ArchivingRow
{
    public const string Name = "archiving";

    private const double EntriesACoreMin = 50_000;

    // Each checkpoint: is there a newer one, the segment, the checkpoint itself.
    private const int RequestsACheckpoint = 3;

    // A vote and its outcome.
    private const int EntriesAVote = 2;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        progress("Archiving: filling the log ...");
        var votes = new MadeVotes(MadeVotes.Surveys(1), RandomNumberGenerator.GetBytes(32));
        var (windows, window) = (sizes.Runs + 1, sizes.ArchivedAPartition * MadeVotes.Partitions);
        var floor = new List<double>();
        await using (var access = new LogAccess(site.ConnectionString))
        {
            await Parallel.ForAsync(0, MadeVotes.Partitions, cancel, async (partition, stop) =>
            {
                var made = votes.Make(partition, sizes.ArchivedAPartition * windows, 0);
                await access.AppendAsync(new(VotingTopics.Votes, partition), made, stop);
            });
        }

        var sample = votes.Make(0, sizes.ArchivedAPartition, 0);
        for (var run = -1; run < sizes.Runs; run++)
        {
            var rate = await Rate.OfAsync(site, sample.Count, () => Task.Run(() => Hash(sample), cancel));
            if (run >= 0) floor.Add(rate.Cpu);
        }

        progress("Archiving: watching a process that seals ...");
        var audit = await site.StartHostAsync("audit", cancel);
        var seen = await WatchAsync(site, audit, window, windows, cancel);
        // The first one also loads and compiles.
        var runs = seen.Zip(seen.Skip(1), Run.Between).Skip(seen.Count > 2 ? 1 : 0).ToList();
        var (cpu, databaseCpu) = (runs.Median(run => run.Cpu), runs.Median(run => run.DatabaseCpu));
        var (bytes, checkpoints) = await StoredAsync(site, cancel);
        return new(Name, "log → sealed segments, by role audit; floor: SHA-256 of entry, link, leaf and node",
        [
            new("entries a core", "entries/s", 1_000_000 / Statistics.Median(floor), 1_000_000 / cpu,
                new($"≥ {EntriesACoreMin:#,0}", measure => measure.Us >= EntriesACoreMin)),
        ],
        new Dictionary<string, double>
        {
            ["entries/s, all cores"] = runs.Median(run => run.PerSecond),
            ["CPU an entry, µs"] = cpu,
            ["PostgreSQL CPU an entry, µs"] = databaseCpu,
            ["stored an entry, bytes"] = bytes,
            ["requests to the store a million votes"] = checkpoints * RequestsACheckpoint * EntriesAVote * 1_000_000,
        },
        [
            new("archive: audit process", EntriesAVote * cpu),
            new("archive: PostgreSQL", EntriesAVote * databaseCpu),
        ]);
    }

    /// <summary>What no archive of this form can do without; nodes are as many as leaves.</summary>
    private static void Hash(List<StoredRecord> records)
    {
        Span<byte> link = stackalloc byte[32], entry = stackalloc byte[32], node = stackalloc byte[65];
        var linked = new byte[32 + records.Max(record => record.Value.Length)];
        foreach (var record in records)
        {
            SHA256.HashData(record.Value.Span, entry);
            link.CopyTo(linked);
            record.Value.Span.CopyTo(linked.AsSpan(32));
            SHA256.HashData(linked.AsSpan(0, 32 + record.Value.Length), link);
            SHA256.HashData(node[..33], entry);
            SHA256.HashData(node, entry);
        }
    }

    private static async Task<(double BytesAnEntry, double CheckpointsAnEntry)> StoredAsync(
        Site site, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(site.ConnectionString);
        await using var query = source.CreateCommand("""
            SELECT sum(size_bytes)::double precision / sum(entries), count(*)::double precision / sum(entries)
            FROM audit.segments WHERE log LIKE 'votes-%'
            """);
        await using var row = await query.ExecuteReaderAsync(cancel);
        await row.ReadAsync(cancel);
        return (row.GetDouble(0), row.GetDouble(1));
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
