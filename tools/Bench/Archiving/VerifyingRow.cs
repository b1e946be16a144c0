using Audit;
using Voting;

namespace Bench;

/// <summary>
/// Verifying an archive whole, as the verb <c>verify</c> does it: chains, trees, signatures, outcomes, the recount.
/// </summary>
internal static class VerifyingRow
{
    public const string Name = "verifying";

    private const double EntriesACoreMin = 150_000;

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        progress("Verifying: having votes counted and archived ...");
        var count = sizes.VerifiedAPartition * MadeVotes.Partitions;
        var votes = await ArchiveAsync(site, sizes.VerifiedAPartition, cancel);
        var floor = await ArchivedVotes.FloorAsync(site, votes, sizes.VerifiedAPartition, sizes.Runs, cancel);
        var runs = new List<Rate>();
        for (var run = -1; run < sizes.Runs; run++)
        {
            progress($"Verifying: run {run + 1} of {sizes.Runs} ...");
            var entries = count * ArchivedVotes.EntriesAVote;
            var rate = await Rate.OfAsync(site, entries, () => VerifyAsync(site, entries, cancel));
            // The first one also loads and compiles.
            if (run >= 0) runs.Add(rate);
        }

        return new(Name, "a whole archive of votes and outcomes, from a directory; floor: SHA-256 as archiving has it",
        [
            new("entries a core", "entries/s", 1_000_000 / floor,
                1_000_000 / Statistics.Median(runs.Select(run => run.Cpu)),
                new($"≥ {EntriesACoreMin:#,0}", measure => measure.Us >= EntriesACoreMin)),
        ],
        new Dictionary<string, double>
        {
            ["entries"] = count * ArchivedVotes.EntriesAVote,
            ["entries/s, all cores"] = Statistics.Median(runs.Select(run => run.PerSecond)),
        },
        []);
    }

    /// <summary>A survey as it is: published, its votes counted by a consumer, all of it sealed.</summary>
    private static async Task<MadeVotes> ArchiveAsync(Site site, int votesAPartition, CancellationToken cancel)
    {
        var backoffice = await site.StartHostAsync("backoffice", cancel);
        var paper = await site.PublishAsync(backoffice, cancel);
        var votes = new MadeVotes(
            [MadeVotes.Of(paper)], await InstalledKeys.MacKeyAsync(site.ConnectionString, site.MasterKey, cancel));
        await using (var access = new LogAccess(site.ConnectionString))
        {
            await Parallel.ForAsync(0, MadeVotes.Partitions, cancel, async (partition, stop) =>
            {
                var made = votes.Make(partition, votesAPartition, 0);
                await access.AppendAsync(new(VotingTopics.Votes, partition), made, stop);
            });
            var consumer = await site.StartHostAsync("consumer", cancel);
            var all = (long)votesAPartition * MadeVotes.Partitions;
            while (await access.CountAsync(VotingTopics.Outcomes, cancel) < all) await Task.Delay(100, cancel);
            await consumer.Process.DisposeAsync();
        }

        var audit = await site.StartHostAsync("audit", cancel);
        await ArchivedVotes.SealedAsync(
            site, (long)votesAPartition * MadeVotes.Partitions * ArchivedVotes.EntriesAVote, cancel);
        // What is measured is to have the machine.
        await audit.Process.DisposeAsync();
        await backoffice.Process.DisposeAsync();
        return votes;
    }

    private static async Task VerifyAsync(Site site, long entries, CancellationToken cancel)
    {
        var progress = new VerifyProgress();
        var options = new VerifyArchiveOptions(
            new([], []), new(), null, Environment.ProcessorCount, Path.GetTempPath(), TimeProvider.System);
        var report = await new VerifyArchive(new DirectoryArchive(site.ArchiveDirectory), options, progress)
            .RunAsync(cancel);
        if (!report.Holds) throw new BrokenOffException($"The archive is not as it must be: {report.Findings[0]}");
        if (progress.Entries < entries) throw new BrokenOffException($"It has only {progress.Entries} entries.");
    }
}
