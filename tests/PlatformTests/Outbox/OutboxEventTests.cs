using System.Diagnostics;
using System.Text;
using Platform;
using Testing;

namespace PlatformTests;

public sealed class OutboxEventTests(Postgres postgres)
{
    private static readonly EventStamp Stamp = new("id", DateTimeOffset.UnixEpoch, EventActor.System("clock"));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("survey/1", 0)]
    [InlineData("survey/2", 3)]
    [InlineData("survey/3", 2)]
    [InlineData("user/EBESExQVFhcYGRobHB0eHw", 0)]
    public void An_aggregates_partition_never_changes(string aggregate, int partition) =>
        Assert.Equal(partition, Outbox.PartitionOf(aggregate, 4));

    [Fact]
    public void An_event_that_the_log_would_refuse_is_not_written() => Assert.Throws<ArgumentException>(
        () => OutboxEvent.Compose("a.b", "/a", "a/1", Stamp, json =>
            json.WriteString("text", new string('x', IEventLog.RecordSizeBytesMax))));

    [Fact]
    public void Ids_are_drawn_anew_each_time()
    {
        var stamps = new EventStamps(System.Security.Cryptography.RandomNumberGenerator.Create(), TimeProvider.System);
        var ids = Enumerable.Range(0, 1_000).Select(_ => stamps.New(EventActor.Operator).Id).ToArray();
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Equal(22, id.Length));
    }

    [Fact]
    public async Task The_trace_goes_on_behind_the_outbox()
    {
        using var source = new ActivitySource("outbox");
        using var listener = new ActivityListener
        {
            ShouldListenTo = heard => heard == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        await using var shop = await Shop.OpenAsync(postgres);
        string parent;
        using (var activity = source.StartActivity("order")!)
        {
            (parent, activity.TraceStateString) = (activity.Id!, "vendor=told");
            await shop.WriteAsync("order/0", 0);
        }

        await using var connection = await shop.Tables.Source.OpenConnectionAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        var waiting = Assert.Single(await new OutboxTable(Shop.Schema, null).ReadAsync(transaction, 10, Cancel));
        Assert.Equal(
            [("traceparent", parent), ("tracestate", "vendor=told")],
            waiting.Record().Headers!.Select(header => (header.Name, Encoding.ASCII.GetString(header.Value.Span))));
    }

    [Fact]
    public async Task What_waits_is_counted_and_has_an_age()
    {
        await using var shop = await Shop.OpenAsync(postgres);
        Assert.Equal(default, Assert.Single(await shop.Tables.MeasureAsync(Cancel)).Lag);
        Assert.Empty(await shop.Tables.FilledAsync(Cancel));
        await shop.WriteAsync("order/0", 0);
        await shop.WriteAsync("order/1", 0);
        await shop.ExecuteAsync("UPDATE shop.outbox SET written_at = written_at - interval '1 min' WHERE number = 1");

        var lag = Assert.Single(await shop.Tables.MeasureAsync(Cancel)).Lag;
        Assert.Equal(2, lag.Waiting);
        Assert.InRange(lag.OldestSeconds, 60, 120);
        Assert.Equal(Shop.Schema, Assert.Single(await shop.Tables.FilledAsync(Cancel)).Schema);
    }

    [Fact]
    public async Task A_process_with_an_old_map_neither_reads_nor_writes()
    {
        await using var shop = await Shop.OpenAsync(postgres);
        await shop.ExecuteAsync("CREATE TABLE shop.shard (epoch integer NOT NULL); INSERT INTO shop.shard VALUES (2)");
        await shop.WriteAsync("order/0", 0);
        await using var connection = await shop.Tables.Source.OpenConnectionAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        var written = OutboxEvent.Compose("a.b", "/a", "a/1", Stamp, _ => { });

        Assert.Empty(await new OutboxTable(Shop.Schema, 1).ReadAsync(transaction, 10, Cancel));
        Assert.Single(await new OutboxTable(Shop.Schema, 2).ReadAsync(transaction, 10, Cancel));
        await Assert.ThrowsAsync<InvalidSettingsException>(() => transaction.WriteEventAsync(
            new ModuleShard(new(0, 0, 0, "", 1), Shop.Schema, shop.Tables.Source), written, Cancel));
        Assert.Equal(1, await shop.CountAsync("shop.outbox"));
    }
}
