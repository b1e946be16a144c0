using System.Text;
using System.Text.Json.Nodes;
using Platform;
using Testing;

namespace PlatformTests;

/// <summary>Events of an outbox reach every log, whatever breaks on the way.</summary>
public abstract class RelayConformanceTests(Postgres postgres) : FaultConformanceTests
{
    private const int Orders = 6;

    protected Postgres Postgres { get; } = postgres;

    [Fact]
    public async Task Events_reach_the_log_as_they_were_written_and_leave_the_outbox()
    {
        await using var shop = await Shop.OpenAsync(Postgres);
        var log = await OpenAsync();
        var written = new List<OutboxEvent>();
        for (var i = 0; i < 50; i++) written.Add(await shop.WriteAsync($"order/{i % Orders}", i));
        await shop.WriteAsync("order/0", 50, commit: false);

        await shop.RelayAllAsync(shop.Relay(log));

        var read = await EventsAsync(log);
        Assert.Equal(written.Count, read.Count);
        Assert.All(read, record => Assert.Equal(Outbox.PartitionOf(record.Key, 4), record.Partition));
        Assert.All(written.GroupBy(one => one.Aggregate), order => Assert.Equal(
            order.Select(one => Encoding.UTF8.GetString(one.Bytes)),
            read.Where(record => record.Key == order.Key).Select(record => record.Value)));
    }

    [Fact]
    public async Task Two_relays_at_once_bring_everything_once_and_in_order()
    {
        await using var shop = await Shop.OpenAsync(Postgres);
        var (log, other) = (await OpenAsync(), await OpenAsync());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task[] relays =
            [shop.Relay(log, 7).RunAsync(stop.Token), shop.Relay(other, 7).RunAsync(stop.Token)];

        await WriteAsync(shop, steps: 40);

        await shop.UntilEmptyAsync();
        await stop.CancelAsync();
        await Task.WhenAll(relays);
        AssertOrdered(await EventsAsync(log), steps: 40, repeats: false);
    }

    [Fact]
    public async Task What_the_log_has_but_the_outbox_could_not_forget_is_said_again_with_its_id()
    {
        await using var shop = await Shop.OpenAsync(Postgres);
        var log = await OpenAsync();
        await shop.ExecuteAsync("""
            CREATE FUNCTION shop.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''kept''; END';
            CREATE TRIGGER keep BEFORE DELETE ON shop.outbox FOR EACH ROW EXECUTE FUNCTION shop.keep()
            """);
        await shop.WriteAsync("order/0", 0);
        await shop.WriteAsync("order/0", 1);
        await Assert.ThrowsAsync<Npgsql.PostgresException>(
            () => shop.Relay(log).RelayAsync(new(Shop.Schema, null), Cancel));
        Assert.Equal(2, await shop.CountAsync("shop.outbox"));

        await shop.ExecuteAsync("DROP TRIGGER keep ON shop.outbox");
        await shop.RelayAllAsync(shop.Relay(log));

        var read = await EventsAsync(log);
        Assert.Equal(4, read.Count);
        Assert.Equal(read[..2], read[2..].Select((record, i) => record with { Offset = read[i].Offset }));
    }

    [Fact]
    public async Task While_the_log_is_away_events_wait_and_then_come_in_order()
    {
        await using var shop = await Shop.OpenAsync(Postgres);
        var log = await OpenAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var relay = shop.Relay(log).RunAsync(stop.Token);
        await shop.WriteAsync("order/0", 0);
        await shop.UntilEmptyAsync();
        await CutOffAsync(log);

        for (var step = 1; step < 5; step++) await shop.WriteAsync("order/0", step);
        await UntilAsync(async () =>
            (await shop.Tables.MeasureAsync(Cancel))[0].Lag is { Waiting: 4, OldestSeconds: > 0.5 });
        Assert.False(relay.IsCompleted);

        await ReconnectAsync(log);
        await shop.UntilEmptyAsync();
        await stop.CancelAsync();
        await relay;
        AssertOrdered(await EventsAsync(log), steps: 5, orders: 1);
    }

    [Fact]
    public async Task Relays_whose_sessions_break_at_any_moment_lose_nothing_and_swap_nothing()
    {
        await using var shop = await Shop.OpenAsync(Postgres);
        var (log, other) = (await OpenAsync(), await OpenAsync());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task[] relays =
            [shop.Relay(log, 5).RunAsync(stop.Token), shop.Relay(other, 5).RunAsync(stop.Token)];
        var writing = WriteAsync(shop, steps: 30);
        for (var i = 0; i < 20 || !writing.IsCompleted; i++)
        {
            await shop.ExecuteAsync("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'relay'
                """);
            await Task.Delay(15, Cancel);
        }

        await writing;
        await shop.UntilEmptyAsync();
        await stop.CancelAsync();
        await Task.WhenAll(relays);
        AssertOrdered(await EventsAsync(log), steps: 30);
    }

    private static Task WriteAsync(Shop shop, int steps) => Task.WhenAll(
        Enumerable.Range(0, Orders).Select(async order =>
        {
            for (var step = 0; step < steps; step++) await shop.WriteAsync($"order/{order}", step);
        }));

    /// <summary>
    /// The first records of the events of an order stand in their order; the same id is the same event.
    /// </summary>
    private static void AssertOrdered(
        IReadOnlyList<EventRecord> read, int steps, bool repeats = true, int orders = Orders)
    {
        for (var order = 0; order < orders; order++)
        {
            var of = read.Where(record => record.Key == $"order/{order}").ToArray();
            var known = of.DistinctBy(record => record.Id).ToArray();
            Assert.Equal(Enumerable.Range(0, steps), known.Select(record => record.Step));
            Assert.Equal(known.Length, of.DistinctBy(record => record.Value).Count());
            if (!repeats) Assert.Equal(known.Length, of.Length);
        }
    }

    private static async Task<List<EventRecord>> EventsAsync(IEventLog log)
    {
        var read = new List<EventRecord>();
        for (var partition = 0; partition < Outbox.Topic.Partitions; partition++)
        {
            var at = new TopicPartition(Outbox.Topic.Name, partition);
            var range = await log.RangeAsync(at, Cancel);
            await using var reader = log.OpenReader(at, 0);
            read.AddRange(
                (await ReadAsync(reader, (int)range.End)).Select(record => EventRecord.Of(partition, record)));
        }

        return read;
    }

    private sealed record EventRecord(int Partition, long Offset, string Key, string Value, string Id, int Step)
    {
        public static EventRecord Of(int partition, StoredRecord record)
        {
            var json = JsonNode.Parse(record.Value.Span)!;
            return new(
                partition, record.Offset, Encoding.UTF8.GetString(record.Key.Span), Text(record), (string)json["id"]!,
                (int)json["data"]!["step"]!);
        }
    }
}
