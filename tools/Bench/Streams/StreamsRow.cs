using Voting.Contracts;

namespace Bench;

/// <summary>Many streams of one survey's results, held by one process of role sse, beside a bare writer.</summary>
internal static class StreamsRow
{
    public const string Name = "streams";

    private const double KilobytesMax = 11;
    private const double TimeFloorsMax = 1.3;

    // A frame is made at most every 350 ms, so the next tally falls into the next one.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        var backoffice = await site.StartHostAsync("backoffice", cancel);
        var paper = await site.PublishAsync(backoffice, cancel);
        var sse = await site.StartHostAsync("sse", cancel);
        await using var access = new LogAccess(site.ConnectionString);
        var version = 0L;
        progress($"Streams: holding {sizes.Streams:#,0} ...");
        var us = await MeasureAsync(
            sse.Process, sse.Public, $"/v1/surveys/{paper.Id}/results/stream", BroadcastAsync, sizes, cancel);
        await sse.Process.DisposeAsync();

        progress($"Streams: holding {sizes.Streams:#,0} on the bare writer ...");
        await using var bare = ChildProgram.StartSelf(FrameServer.Verb);
        const string says = "Listening on ";
        var address = await bare.HearAsync(
            line => line.StartsWith(says, StringComparison.Ordinal) ? new Uri(line[says.Length..]) : null, cancel);
        var frame = Convert.ToBase64String(us.Frame);
        await bare.SayAsync(frame);
        var floor = await MeasureAsync(bare, address, "/", () => bare.SayAsync(frame), sizes, cancel);

        var target = new Target($"≤ {KilobytesMax} KB", measure => measure.Us <= KilobytesMax);
        return new(Name, $"{sizes.Streams:#,0} streams held by one process; floor: a bare Kestrel writer",
        [
            new("RSS a connection, idle", "KB", floor.KilobytesIdle, us.KilobytesIdle, target),
            new("RSS a connection, after broadcasts", "KB", floor.KilobytesAfter, us.KilobytesAfter, target),
            new("one frame to all", "ms", floor.Milliseconds, us.Milliseconds,
                new($"≤ {TimeFloorsMax} × floor", measure => measure.Ratio <= TimeFloorsMax)),
        ],
        new Dictionary<string, double>
        {
            ["connections"] = sizes.Streams,
            ["frame bytes"] = us.Frame.Length,
            ["CPU a frame and connection, µs"] = us.CpuAFrame,
            ["floor: CPU a frame and connection, µs"] = floor.CpuAFrame,
        },
        []);

        async Task BroadcastAsync()
        {
            version++;
            var options = paper.Questions.SelectMany(question => question.Options).ToArray();
            var tally = new PartitionTally(
                paper.Id, 0, version, version, options, [.. options.Select((_, i) => 1_000_000 + version * i)]);
            var to = new Platform.TopicPartition(
                PartitionTally.Topic, paper.Id % access.Log.PartitionCount(PartitionTally.Topic));
            await access.Log.AppendAsync(
                to, new Platform.LogRecord(Voting.VotingTopics.TallyKey(tally), tally.ToBytes()), cancel);
        }
    }

    private static async Task<Seen> MeasureAsync(
        ChildProgram server, Uri at, string path, Func<Task> broadcastAsync, Sizes sizes, CancellationToken cancel)
    {
        await Task.Delay(Settling, cancel);
        var before = Processes.ResidentBytes(server.Id);
        var readers = new List<ChildProgram>();
        try
        {
            var count = sizes.Streams / sizes.ReaderProcesses;
            for (var i = 0; i < sizes.ReaderProcesses; i++)
                readers.Add(ChildProgram.StartSelf(Readers.Verb, $"{count}", $"{at.Port}", path));
            // The state that every connection begins with.
            await ArriveAsync(readers, cancel);
            await Task.Delay(Settling, cancel);
            var idle = Processes.ResidentBytes(server.Id);
            for (var i = 0; i < sizes.FramesBeforehand; i++) await SendAsync();
            await Task.Delay(Settling, cancel);
            var after = Processes.ResidentBytes(server.Id);

            var cpu = server.CpuMicroseconds();
            var arrivals = new List<Arrival>();
            for (var i = 0; i < sizes.Runs; i++) arrivals.Add(await SendAsync());
            cpu = server.CpuMicroseconds() - cpu;
            return new(
                Kilobytes(idle), Kilobytes(after),
                Statistics.Median(arrivals.Select(one => one.Milliseconds)),
                cpu / sizes.Runs / (count * readers.Count), arrivals[^1].Frame);

            double Kilobytes(long resident) => (resident - before) / 1024.0 / (count * readers.Count);

            async Task<Arrival> SendAsync()
            {
                await Task.Delay(Pause, cancel);
                await broadcastAsync();
                return await ArriveAsync(readers, cancel);
            }
        }
        finally
        {
            foreach (var reader in readers) await reader.DisposeAsync();
        }
    }

    private static async Task<Arrival> ArriveAsync(List<ChildProgram> readers, CancellationToken cancel)
    {
        var all = await Task.WhenAll(readers.Select(reader => reader.HearAsync(Arrival.Read, cancel)));
        return new(all.Min(one => one.First), all.Max(one => one.Last), all[0].Frame);
    }

    private sealed record Seen(
        double KilobytesIdle, double KilobytesAfter, double Milliseconds, double CpuAFrame, byte[] Frame);
}
