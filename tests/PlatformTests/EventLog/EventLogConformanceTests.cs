using System.Collections.Concurrent;
using System.Text;
using Platform;

namespace PlatformTests;

/// <summary>What every event log must do. Each implementation derives the class and opens its own log.</summary>
public abstract class EventLogConformanceTests : IAsyncLifetime
{
    /// <summary>The topics that an installation under test has.</summary>
    protected static readonly Topic[] Topics = [new("orders", 4), new("single", 1), Outbox.Topic];
    protected static readonly TopicPartition Single = new("single", 0);
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// A log as another process would have it, on the installation that a test has; ended with the test.
    /// </summary>
    protected abstract Task<IEventLog> OpenAsync();

    public abstract ValueTask InitializeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected static LogRecord Record(string value) => new(default, Encoding.UTF8.GetBytes(value));

    protected static string Text(StoredRecord record) => Encoding.UTF8.GetString(record.Value.Span);

    protected static async Task<List<StoredRecord>> ReadAsync(ILogReader reader, int count, int countMax = 1_000)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(Patience);
        var records = new List<StoredRecord>();
        while (records.Count < count)
        {
            var batch = await reader.ReadAsync(countMax, Patience, patience.Token);
            Assert.InRange(batch.Count, 0, countMax);
            records.AddRange(batch);
        }

        return records;
    }

    [Fact]
    public async Task A_topic_has_the_partitions_it_was_created_with()
    {
        var log = await OpenAsync();

        Assert.Equal(4, log.PartitionCount("orders"));
        Assert.Throws<InvalidOperationException>(() => log.PartitionCount("nothing"));
    }

    [Fact]
    public async Task What_one_caller_appends_stands_in_that_order()
    {
        var log = await OpenAsync();
        var appends = new List<Task>();
        for (var i = 0; i < 500; i++)
        {
            if (i % 10 == 9) appends.Add(log.AppendAsync(Single, [Record($"{i}a"), Record($"{i}b")], Cancel));
            else appends.Add(log.AppendAsync(Single, Record($"{i}"), Cancel).AsTask());
        }

        await Task.WhenAll(appends);
        await using var reader = log.OpenReader(Single, 0);

        var expected = Enumerable.Range(0, 500).SelectMany(i => i % 10 == 9 ? [$"{i}a", $"{i}b"] : new[] { $"{i}" });
        Assert.Equal(expected, (await ReadAsync(reader, 550)).Select(Text));
    }

    [Fact]
    public async Task Appends_answer_with_the_offsets_that_the_records_have()
    {
        var log = await OpenAsync();

        var many = await log.AppendAsync(Single, [.. Enumerable.Range(0, 5_000).Select(i => Record($"{i}"))], Cancel);
        var one = await log.AppendAsync(Single, Record("last"), Cancel);

        await using var reader = log.OpenReader(Single, 0);
        var records = await ReadAsync(reader, 5_001);
        Assert.Equal([.. many, one], records.Select(record => record.Offset));
        Assert.Equal("last", Text(records[^1]));
        Assert.Equal("4711", Text(records[4_711]));
        var range = await log.RangeAsync(Single, Cancel);
        Assert.Equal(many[0], range.Start);
        Assert.True(range.End > one);
        Assert.Empty(await log.AppendAsync(Single, [], Cancel));
    }

    [Fact]
    public async Task No_record_is_lost_doubled_or_passed_over_while_many_append()
    {
        IEventLog[] logs = [await OpenAsync(), await OpenAsync()];
        const int Each = 150;
        await using var tail = logs[0].OpenReader(new("orders", 2), 0);
        var reading = ReadAsync(tail, 8 * Each, countMax: 37);

        var offsets = new ConcurrentDictionary<long, string>();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(appender => Task.Run(async () =>
        {
            for (var i = 0; i < Each; i++)
            {
                var value = $"{appender}:{i}";
                // Other partitions too, so that commits of several appenders overlap in part.
                var other = logs[appender % 2].AppendAsync(new("orders", appender % 4), Record("other"), Cancel);
                if (appender % 4 == 2) value = "other";
                else await other;
                var offset = appender % 4 == 2
                    ? await other
                    : await logs[appender % 2].AppendAsync(new("orders", 2), Record(value), Cancel);
                Assert.True(offsets.TryAdd(offset, value), $"Offset {offset} was given twice.");
            }
        })));

        var read = await reading;
        Assert.Equal(8 * Each, read.Count);
        Assert.Equal(offsets.OrderBy(o => o.Key).Select(o => (o.Key, o.Value)), read.Select(r => (r.Offset, Text(r))));
    }

    [Fact]
    public async Task A_read_takes_no_more_than_asked_and_loses_nothing()
    {
        var log = await OpenAsync();
        await log.AppendAsync(Single, [.. Enumerable.Range(0, 100).Select(i => Record($"{i}"))], Cancel);
        await using var reader = log.OpenReader(Single, 0);

        Assert.Single(await reader.ReadAsync(1, Patience, Cancel));
        var rest = await ReadAsync(reader, 99, countMax: 7);

        Assert.Equal(Enumerable.Range(1, 99).Select(i => $"{i}"), rest.Select(Text));
        Assert.Empty(await reader.ReadAsync(7, TimeSpan.Zero, Cancel));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await reader.ReadAsync(0, Patience, Cancel));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(57)]
    [InlineData(99)]
    public async Task A_reader_begins_at_the_offset_it_was_given(int index)
    {
        var log = await OpenAsync();
        await log.AppendAsync(Single, Record("before"), Cancel);
        var offsets = await log.AppendAsync(Single, [.. Enumerable.Range(0, 100).Select(i => Record($"{i}"))], Cancel);
        await log.AppendAsync(Single, Record("after"), Cancel);

        await using var reader = log.OpenReader(Single, offsets[index]);

        var records = await ReadAsync(reader, 101 - index);
        Assert.Equal(offsets[index], records[0].Offset);
        Assert.Equal($"{index}", Text(records[0]));
        Assert.Equal("after", Text(records[^1]));
    }

    [Fact]
    public async Task Key_headers_and_value_come_back_as_they_went_in()
    {
        var log = await OpenAsync();
        var large = new byte[IEventLog.RecordSizeBytesMax];
        Array.Fill(large, (byte)7);
        await log.AppendAsync(Single,
            [
                new(new byte[] { 1, 0, 2 }, new byte[] { 3 }, [new("trace", new byte[] { 4 }), new("größe", default)]),
                new(default, default),
                new(new byte[1024], large),
            ], Cancel);

        await using var reader = log.OpenReader(Single, 0);
        var records = await ReadAsync(reader, 3);

        Assert.Equal([1, 0, 2], records[0].Key.ToArray());
        Assert.Equal([3], records[0].Value.ToArray());
        Assert.Equal(["trace", "größe"], records[0].Headers.Select(header => header.Name));
        Assert.Equal([4], records[0].Header("trace")!.Value.ToArray());
        Assert.Empty(records[0].Header("größe")!.Value.ToArray());
        Assert.Null(records[0].Header("nothing"));
        Assert.Empty(records[1].Key.ToArray());
        Assert.Empty(records[1].Value.ToArray());
        Assert.Empty(records[1].Headers);
        Assert.Equal(1024, records[2].Key.Length);
        Assert.True(records[2].Value.Span.SequenceEqual(large));
    }

    [Fact]
    public async Task A_record_that_is_too_large_is_refused_and_nothing_of_its_call_is_there()
    {
        var log = await OpenAsync();
        var large = new LogRecord(default, new byte[IEventLog.RecordSizeBytesMax + 1]);
        var longKey = new LogRecord(new byte[1025], default);

        foreach (var refused in new[] { large, longKey })
        {
            var one = await Assert.ThrowsAsync<AppendFailedException>(
                async () => await log.AppendAsync(Single, refused, Cancel));
            var many = await Assert.ThrowsAsync<AppendFailedException>(
                async () => await log.AppendAsync(Single, [Record("small"), refused], Cancel));
            Assert.Equal(AppendFailure.TooLarge, one.Failure);
            Assert.Equal(AppendFailure.TooLarge, many.Failure);
        }

        var range = await log.RangeAsync(Single, Cancel);
        Assert.Equal(range.Start, range.End);
    }

    [Fact]
    public async Task A_waiting_reader_sees_what_another_process_appends()
    {
        var (here, there) = (await OpenAsync(), await OpenAsync());
        await using var reader = here.OpenReader(Single, 0);

        for (var i = 0; i < 20; i++)
        {
            var waiting = reader.ReadAsync(10, Patience, Cancel);
            await there.AppendAsync(Single, Record($"{i}"), Cancel);
            Assert.Equal($"{i}", Text(Assert.Single(await waiting)));
        }
    }

    [Fact]
    public async Task A_place_behind_the_end_is_no_place_to_read_from()
    {
        var log = await OpenAsync();
        var offset = await log.AppendAsync(Single, Record("only"), Cancel);
        var end = (await log.RangeAsync(Single, Cancel)).End;
        await using var atEnd = log.OpenReader(Single, end);
        await using var behind = log.OpenReader(Single, end + 1);

        Assert.True(end > offset);
        Assert.Empty(await atEnd.ReadAsync(1, TimeSpan.Zero, Cancel));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await behind.ReadAsync(1, Patience, Cancel));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.OpenReader(Single, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.OpenReader(new("single", 1), 0));
        Assert.Throws<InvalidOperationException>(() => log.OpenReader(new("nothing", 0), 0));
    }

    [Fact]
    public async Task A_read_that_is_cancelled_leaves_the_reader_usable()
    {
        var log = await OpenAsync();
        await using var reader = log.OpenReader(Single, 0);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancel);

        var waiting = reader.ReadAsync(10, Patience, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await waiting);
        await log.AppendAsync(Single, Record("later"), Cancel);

        Assert.Equal("later", Text(Assert.Single(await ReadAsync(reader, 1))));
    }
}
