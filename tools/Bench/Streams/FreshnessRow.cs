using System.Diagnostics;
using Npgsql;
using Voting;

namespace Bench;

/// <summary>How long after its 202 a ballot is in what a stream shows, at half the load that casting takes.</summary>
internal static class FreshnessRow
{
    public const string Name = "freshness";

    private const double MillisecondsMax = 500;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <param name="site">With an api process.</param>
    /// <param name="api">That process.</param>
    /// <param name="voters">Tokens.</param>
    /// <param name="perSecond">Ballots.</param>
    /// <param name="sizes">How much.</param>
    /// <param name="progress">Told what is done.</param>
    /// <param name="cancel">Ends it.</param>
    public static async Task<Row> MeasureAsync(
        Site site, HostProgram api, string[] voters, double perSecond, Sizes sizes, Action<string> progress,
        CancellationToken cancel)
    {
        progress("Freshness: counting what was cast before ...");
        var sse = await site.StartHostAsync("sse", cancel);
        await site.StartHostAsync("consumer", cancel);
        await CatchUpAsync(site, cancel);
        using var generator = await LoadGenerator.ConnectAsync(api.Public, sizes.Connections, cancel);
        var runs = new List<(double Half, double Most, double PerSecond)>();
        for (var run = -1; run < sizes.Runs; run++)
        {
            progress($"Freshness: run {run + 1} of {sizes.Runs} ...");
            var times = await MeasureAsync(site, api, sse, voters, generator, perSecond, sizes, cancel);
            if (run >= 0) runs.Add(times);
        }

        return new(Name, $"from the 202 to a stream's frame, at {perSecond:#,0} ballots/s: half of what casting took",
        [
            new("p50", "ms", null, Statistics.Median(runs.Select(run => run.Half)), null),
            new("p99", "ms", null, Statistics.Median(runs.Select(run => run.Most)),
                new($"< {MillisecondsMax} ms", measure => measure.Us < MillisecondsMax)),
        ],
        new Dictionary<string, double>
        {
            ["ballots/s asked for"] = perSecond,
            ["ballots/s cast"] = Statistics.Median(runs.Select(run => run.PerSecond)),
            ["surveys at the same time"] = sizes.WatchedSurveys,
        },
        []);
    }

    private static async Task<(double Half, double Most, double PerSecond)> MeasureAsync(
        Site site, HostProgram api, HostProgram sse, string[] voters, LoadGenerator generator, double perSecond,
        Sizes sizes, CancellationToken cancel)
    {
        var papers = new List<BallotPaper>();
        for (var i = 0; i < sizes.WatchedSurveys; i++) papers.Add(await site.PublishAsync(api, cancel));
        await Task.Delay(CastingRow.News, cancel);
        var streams = new List<WatchedStream>();
        try
        {
            foreach (var paper in papers) streams.Add(await WatchedStream.OpenAsync(sse.Public, paper.Id, cancel));
            var requests = voters
                .SelectMany((token, voter) => papers.Select(paper => paper.Request(voter, token))).ToArray();
            var load = await generator.RunAsync(requests, perSecond, cancel);
            var times = new List<double>(requests.Length);
            for (var i = 0; i < papers.Count; i++)
            {
                // Of n accepted ballots all are shown once a frame says n, whichever of them were counted first.
                var accepted = load.Answered.Where((_, request) => request % papers.Count == i).Order().ToArray();
                times.AddRange(Delays(accepted, await AllSeenAsync(streams[i], accepted.Length, cancel)));
            }

            times.Sort();
            double[] sorted = [.. times];
            return (Statistics.Percentile(sorted, 0.5), Statistics.Percentile(sorted, 0.99), load.PerSecond);
        }
        finally
        {
            foreach (var stream in streams) await stream.DisposeAsync();
        }
    }

    private static IEnumerable<double> Delays(long[] accepted, (long At, long Ballots)[] seen)
    {
        var frame = 0;
        for (var i = 0; i < accepted.Length; i++)
        {
            while (seen[frame].Ballots <= i) frame++;
            var ticks = Math.Max(0, seen[frame].At - accepted[i]);
            yield return ticks * 1_000.0 / Stopwatch.Frequency;
        }
    }

    private static async Task<(long At, long Ballots)[]> AllSeenAsync(
        WatchedStream stream, int ballots, CancellationToken cancel)
    {
        var begun = Stopwatch.GetTimestamp();
        while (stream.Seen is var seen)
        {
            if (seen[^1].Ballots >= ballots) return seen;
            if (Stopwatch.GetElapsedTime(begun) > Patience)
                throw new BrokenOffException($"A stream shows {seen[^1].Ballots} of {ballots} ballots and no more.");
            await Task.Delay(20, cancel);
        }

        throw new UnreachableException();
    }

    private static async Task CatchUpAsync(Site site, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(site.ConnectionString);
        await using var query = source.CreateCommand("""
            SELECT sum(next_offset) FILTER (WHERE topic = $1) = sum(next_offset) FILTER (WHERE topic = $2)
            FROM platform.log_partitions
            """);
        query.Parameters.Add(new() { Value = VotingTopics.Votes });
        query.Parameters.Add(new() { Value = VotingTopics.Outcomes });
        while (await query.ExecuteScalarAsync(cancel) is not true) await Task.Delay(100, cancel);
    }
}
