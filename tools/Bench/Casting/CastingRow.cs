namespace Bench;

/// <summary>Casting a ballot through a real api process, beside an echo of the same requests.</summary>
internal static class CastingRow
{
    public const string Name = "casting";

    /// <summary>How long the news of a survey's publication takes at most.</summary>
    public static readonly TimeSpan News = TimeSpan.FromSeconds(1.2);

    /// <summary>The measure of what one process takes.</summary>
    public const string Throughput = "throughput";

    private const double CpuFloorsMax = 5;
    private const int WarmupRuns = 1;

    public static async Task<Row> MeasureAsync(
        Site site, HostProgram api, string[] voters, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        var (echo, echoAddress) = await EchoServer.StartAsync(cancel);
        await using var _ = echo;
        using var toEcho = await LoadGenerator.ConnectAsync(echoAddress, sizes.Connections, cancel);
        using var toUs = await LoadGenerator.ConnectAsync(api.Public, sizes.Connections, cancel);
        var (floors, ours) = (new List<Run>(), new List<Run>());
        for (var run = -WarmupRuns; run < sizes.Runs; run++)
        {
            progress($"Casting: run {run + 1} of {sizes.Runs} ...");
            var requests = await RequestsAsync(site, api, voters, sizes.SurveysARun, cancel);
            var floor = await MeasureAsync(site.Postgres, echo, toEcho, requests, cancel);
            var us = await MeasureAsync(site.Postgres, api.Process, toUs, requests, cancel);
            if (run < 0) continue;
            floors.Add(floor);
            ours.Add(us);
        }

        var cpu = ours.Median(run => run.Cpu);
        var database = ours.Median(run => run.DatabaseCpu);
        return new(Name, "a ballot through a real api process; floor: Kestrel echoes the same requests",
        [
            new("server CPU a request", "µs", floors.Median(run => run.Cpu), cpu,
                new($"≤ {CpuFloorsMax} × floor", measure => measure.Ratio <= CpuFloorsMax)),
            new(Throughput, "requests/s", floors.Median(run => run.PerSecond), ours.Median(run => run.PerSecond),
                null),
            new("p50", "ms", floors.Median(run => run.Half), ours.Median(run => run.Half), null),
            new("p99", "ms", floors.Median(run => run.Most), ours.Median(run => run.Most), null),
        ],
        new Dictionary<string, double>
        {
            ["connections"] = sizes.Connections,
            ["requests a run"] = voters.Length * sizes.SurveysARun,
            ["request bytes"] = ours[0].RequestBytes,
            ["PostgreSQL CPU a request, µs"] = database,
        },
        [new("accept: api process", cpu), new("accept: PostgreSQL (log, look-up)", database)]);
    }

    /// <summary>One survey after the other; of each, every voter's ballot.</summary>
    public static async Task<List<byte[]>> RequestsAsync(
        Site site, HostProgram backoffice, string[] voters, int surveys, CancellationToken cancel)
    {
        var requests = new List<byte[]>(voters.Length * surveys);
        for (var i = 0; i < surveys; i++)
        {
            var paper = await site.PublishAsync(backoffice, cancel);
            requests.AddRange(voters.Select((token, voter) => paper.Request(voter, token)));
        }

        await Task.Delay(News, cancel);
        return requests;
    }

    private static async Task<Run> MeasureAsync(
        Postgres postgres, ChildProgram server, LoadGenerator generator, List<byte[]> requests,
        CancellationToken cancel)
    {
        var (cpu, database) = (server.CpuMicroseconds(), postgres.CpuMicroseconds());
        var load = await generator.RunAsync(requests, null, cancel);
        cpu = server.CpuMicroseconds() - cpu;
        database = postgres.CpuMicroseconds() - database;
        var times = load.Milliseconds;
        return new(
            cpu / requests.Count, database / requests.Count, load.PerSecond, Statistics.Percentile(times, 0.5),
            Statistics.Percentile(times, 0.99), requests[0].Length);
    }

    private static double Median(this List<Run> runs, Func<Run, double> figure) =>
        Statistics.Median(runs.Select(figure));

    private sealed record Run(
        double Cpu, double DatabaseCpu, double PerSecond, double Half, double Most, int RequestBytes);
}
