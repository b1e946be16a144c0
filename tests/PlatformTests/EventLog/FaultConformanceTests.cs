using System.Diagnostics;
using System.Text;
using Platform;

namespace PlatformTests;

/// <summary>What every event log must do when it is hard to reach or asked for too much.</summary>
public abstract class FaultConformanceTests : GroupConformanceTests
{
    /// <summary>A log that waits for an append a second or so, and keeps at most ten waiting.</summary>
    protected abstract IEventLog OpenImpatient();

    /// <summary>Whether the server knows a record that it has already: the mock of one may not.</summary>
    protected virtual bool IsServerReal => true;

    /// <summary>Lets what this log says through, and nothing of what it is answered.</summary>
    protected abstract Task SilenceAsync(IEventLog log);

    [Fact]
    public async Task Records_appended_within_an_activity_carry_its_trace_context()
    {
        var log = await OpenAsync();
        using var source = new ActivitySource("appends");
        using var listener = new ActivityListener
        {
            ShouldListenTo = heard => heard == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        await log.AppendAsync(Single, Record("outside"), Cancel);
        string traceParent;
        using (var activity = source.StartActivity("append")!)
        {
            (traceParent, activity.TraceStateString) = (activity.Id!, "vendor=told");
            await log.AppendAsync(Single, new LogRecord(default, "one"u8.ToArray(), [new("own", default)]), Cancel);
            await log.AppendAsync(Single, [Record("two"), Record("three")], Cancel);
            var full = Enumerable.Range(0, 16).Select(i => new LogHeader($"{i}", default)).ToArray();
            await log.AppendAsync(Single, new LogRecord(default, "full"u8.ToArray(), full), Cancel);
        }

        await using var reader = log.OpenReader(Single, 0);
        var records = await ReadAsync(reader, 5);

        Assert.Empty(records[0].Headers);
        Assert.Equal(["own", "traceparent", "tracestate"], records[1].Headers.Select(header => header.Name));
        Assert.Equal(16, records[4].Headers.Length);
        Assert.All(records[1..4], record => Assert.Equal(traceParent, Said(record, "traceparent")));
        Assert.All(records[1..4], record => Assert.Equal("vendor=told", Said(record, "tracestate")));
        Assert.True(ActivityContext.TryParse(Said(records[2], "traceparent"), null, out _));

        static string Said(StoredRecord record, string name) =>
            Encoding.ASCII.GetString(record.Header(name)!.Value.Span);
    }

    [Fact]
    public async Task A_log_that_cannot_be_reached_says_so_and_goes_on_in_order_once_it_can()
    {
        var log = OpenImpatient();
        await log.AppendAsync(Single, Record("before"), Cancel);
        await CutOffAsync(log);

        var failed = await Assert.ThrowsAsync<AppendFailedException>(
            async () => await log.AppendAsync(Single, Record("away"), Cancel));
        Assert.True(failed.Failure is AppendFailure.NotPersisted or AppendFailure.Unknown, $"{failed.Failure}");
        await ReconnectAsync(log);
        await AppendOnceBackAsync(log, "after");

        var read = await AllAsync(log);
        Assert.Equal("before", read[0]);
        Assert.Equal("after", read[^1]);
        // Of unknown outcome it may be there, once and in its place.
        Assert.True(read.Count(value => value == "away") <= (failed.Failure is AppendFailure.Unknown ? 1 : 0));
    }

    [Fact]
    public async Task An_append_whose_answer_is_lost_is_of_unknown_outcome_and_there_at_most_once()
    {
        var log = OpenImpatient();
        await log.AppendAsync(Single, Record("before"), Cancel);
        await SilenceAsync(log);

        var failed = await Assert.ThrowsAsync<AppendFailedException>(
            async () => await log.AppendAsync(Single, Record("unanswered"), Cancel));
        Assert.Equal(AppendFailure.Unknown, failed.Failure);
        await ReconnectAsync(log);
        await AppendOnceBackAsync(log, "after");

        var read = await AllAsync(log);
        Assert.Equal("before", read[0]);
        Assert.Equal("after", read[^1]);
        if (IsServerReal) Assert.True(read.Count(value => value == "unanswered") <= 1, "It is there twice.");
    }

    [Fact]
    public async Task A_log_that_does_not_get_on_refuses_what_exceeds_its_queue_and_keeps_what_it_took()
    {
        var log = OpenImpatient();
        await log.AppendAsync(Single, Record("before"), Cancel);
        await SilenceAsync(log);

        var taken = new List<Task<long>>();
        AppendFailedException? refused = null;
        while (refused is null)
        {
            // Those on their way and those that wait: ten each.
            Assert.True(taken.Count <= 20, "Nothing is refused.");
            try
            {
                taken.Add(log.AppendAsync(Single, Record($"{taken.Count}"), Cancel).AsTask());
            }
            catch (AppendFailedException e)
            {
                refused = e;
            }
        }

        Assert.Equal(AppendFailure.Overloaded, refused.Failure);
        await ReconnectAsync(log);
        await UntilAsync(() => taken.TrueForAll(append => append.IsCompleted));
        await AppendOnceBackAsync(log, "after");
        var read = await AllAsync(log);
        if (!IsServerReal) read = [.. read.Distinct()];
        // Each at most once, and in the order of the calls.
        Assert.Equal(read.Distinct(), read);
        Assert.Equal(read[1..^1].OrderBy(int.Parse), read[1..^1]);
        foreach (var (i, append) in taken.Index().Where(one => one.Item.IsCompletedSuccessfully))
            Assert.Contains($"{i}", read);
    }

    [Fact]
    public async Task A_place_whose_reader_fell_behind_is_read_again_by_the_next()
    {
        const int Count = 400;
        var writer = await OpenAsync();
        LogRecord[] some = [.. Enumerable.Repeat(new LogRecord(default, new byte[16 * 1024]), 10)];
        for (var i = 0; i < Count; i += some.Length) await writer.AppendAsync(Single, some, Cancel);
        // It reads ahead no further than 64 KiB.
        var log = OpenImpatient();
        await using (var slow = log.OpenReader(Single, 0))
        {
            Assert.NotEmpty(await slow.ReadAsync(1, Patience, Cancel));
            // What follows is read ahead until no more is taken in.
            await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        }

        await using var again = log.OpenReader(Single, 0);
        Assert.Equal(Count, (await ReadAsync(again, Count)).Count);
    }

    [Fact]
    public async Task A_partition_whose_worker_is_slow_holds_up_no_other()
    {
        var (log, writer) = (OpenImpatient(), await OpenAsync());
        var large = new byte[16 * 1024];
        var (slow, quick) = (new TopicPartition("orders", 0), new TopicPartition("orders", 3));
        foreach (var partition in new[] { slow, quick })
        {
            for (var i = 0; i < 20; i++)
                await writer.AppendAsync(partition, [.. Enumerable.Repeat(new LogRecord(default, large), 10)], Cancel);
        }

        await using var member = new Member(log);
        member.Run("slow", (_, cancel) => Task.Delay(Timeout.Infinite, cancel));
        await UntilAsync(() => member.Owned.Count == 4);

        Assert.Equal(200, (await ReadAsync(member.Owned[3], 200, countMax: 7)).Count);
        var late = await ReadAsync(member.Owned[0], 200, countMax: 7);
        Assert.Equal(late.Select(record => record.Offset).Order(), late.Select(record => record.Offset).Distinct());
    }

    /// <summary>Appends as soon as the log takes it; whatever of it is unknown meanwhile has the same value.</summary>
    private static async Task AppendOnceBackAsync(IEventLog log, string value)
    {
        await UntilAsync(async () =>
        {
            try
            {
                await log.AppendAsync(Single, Record(value), Cancel);
                return true;
            }
            catch (AppendFailedException e) when (e.Failure is AppendFailure.NotPersisted or AppendFailure.Overloaded)
            {
                return false;
            }
        });
    }

    private static async Task<List<string>> AllAsync(IEventLog log)
    {
        var range = await log.RangeAsync(Single, Cancel);
        await using var reader = log.OpenReader(Single, 0);
        var all = new List<string>();
        for (var next = range.Start; next < range.End;)
        {
            foreach (var record in await reader.ReadAsync(1_000, Patience, Cancel))
            {
                all.Add(Text(record));
                next = record.Offset + 1;
            }
        }

        return all;
    }
}
