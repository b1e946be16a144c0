using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform;
using Testing;

namespace PlatformTests;

/// <summary>The Kafka log keeps what every log promises, and what only it can be asked for.</summary>
public sealed class KafkaLogTests(KafkaCluster cluster, Postgres postgres) : RelayConformanceTests(postgres)
{
    private readonly List<Opened> _opened = [];
    private readonly string _prefix = KafkaCluster.NewPrefix();
    private string[] _brokers = [];

    public override async ValueTask InitializeAsync()
    {
        var bootstraps = await cluster.BootstrapsAsync(Cancel);
        _brokers = KafkaCluster.IsMock ? bootstraps.Split(',') : Advertised(bootstraps);
        if (KafkaCluster.IsMock)
        {
            foreach (var topic in Topics)
                await cluster.CreateTopicAsync(_prefix + topic.Name, topic.Partitions, Cancel);
        }
        else
        {
            await using var log = New(bootstraps, new());
            Assert.Equal(Topics.Length, await log.EnsureTopicsAsync(Cancel));
        }
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var opened in _opened)
        {
            opened.Connection.Mend();
            await opened.Stop.CancelAsync();
            await opened.Running.WaitAsync(Patience);
            await opened.Log.DisposeAsync();
            await opened.Connection.DisposeAsync();
            opened.Stop.Dispose();
        }

        await base.DisposeAsync();
    }

    protected override Task<IEventLog> OpenAsync() => Task.FromResult<IEventLog>(Open());

    protected override Task CutOffAsync(IEventLog log)
    {
        _opened.Single(opened => opened.Log == log).Connection.Cut();
        return Task.CompletedTask;
    }

    protected override Task ReconnectAsync(IEventLog log)
    {
        _opened.Single(opened => opened.Log == log).Connection.Mend();
        return Task.CompletedTask;
    }

    protected override IEventLog OpenImpatient() => Open(new()
    {
        // Long enough for the first append, which connects, on a machine that has much to do.
        AppendTimeout = TimeSpan.FromSeconds(4),
        QueueCountMax = 10,
        ReadSizeBytesMax = 64 * 1024,
    });

    protected override bool IsServerReal => !KafkaCluster.IsMock;

    protected override Task SilenceAsync(IEventLog log)
    {
        _opened.Single(opened => opened.Log == log).Connection.Silence();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Whatever_waits_when_the_log_is_told_to_stop_is_appended_and_nothing_later()
    {
        var log = Open(new() { Linger = TimeSpan.FromMilliseconds(500) });
        var waiting = Enumerable.Range(0, 100)
            .Select(i => log.AppendAsync(Single, Record($"{i}"), Cancel).AsTask())
            .ToArray();

        await _opened[0].Stop.CancelAsync();
        Assert.Equal(100, (await Task.WhenAll(waiting).WaitAsync(Patience, Cancel)).Length);
        await _opened[0].Running.WaitAsync(Patience, Cancel);

        var refused = await Assert.ThrowsAsync<AppendFailedException>(
            async () => await log.AppendAsync(Single, Record("late"), Cancel));
        Assert.Equal(AppendFailure.NotPersisted, refused.Failure);
    }

    [Fact]
    public async Task Topics_that_are_not_as_they_are_known_are_refused_and_those_that_are_there_stay()
    {
        var bootstraps = await cluster.BootstrapsAsync(Cancel);
        await using var same = New(bootstraps, new());
        await using var other = New(bootstraps, new(), [new("single", 2)]);
        await using var unknown = New(bootstraps, new(), [new("not-created", 1)]);
        await using var nowhere = New("127.0.0.1:1", new() { RequestTimeout = TimeSpan.FromSeconds(1) });

        await same.RequireTopicsAsync(Cancel);
        Assert.Equal(0, await same.EnsureTopicsAsync(Cancel));
        await Assert.ThrowsAsync<LogNotReadyException>(() => other.EnsureTopicsAsync(Cancel));
        await Assert.ThrowsAsync<LogNotReadyException>(() => other.RequireTopicsAsync(Cancel));
        var missing = await Assert.ThrowsAsync<LogNotReadyException>(() => unknown.RequireTopicsAsync(Cancel));
        Assert.Equal($"Kafka has no topic {_prefix}not-created: run admin log init.", missing.Message);
        await Assert.ThrowsAsync<LogNotReadyException>(() => nowhere.RequireTopicsAsync(Cancel));
    }

    [Fact]
    public async Task When_the_order_can_be_kept_no_longer_the_log_ends_and_takes_nothing_more()
    {
        if (!KafkaCluster.IsMock) return;
        await using var log = New(await cluster.BootstrapsAsync(Cancel), new());
        var running = log.RunAsync(Cancel);
        await log.AppendAsync(Single, Record("before"), Cancel);

        // To produce: not authorized.
        await cluster.DoAsync("errors 0 29 10", Cancel);
        var failed = await Assert.ThrowsAsync<AppendFailedException>(
            async () => await log.AppendAsync(Single, Record("refused"), Cancel));
        await Assert.ThrowsAsync<KafkaException>(() => running.WaitAsync(Patience, Cancel));
        await cluster.DoAsync("mend 0", Cancel);

        // Whichever comes first: the client's word on the record, or the end of the log, which knows nothing of it.
        Assert.True(failed.Failure is AppendFailure.NotPersisted or AppendFailure.Unknown, $"{failed.Failure}");
        failed = await Assert.ThrowsAsync<AppendFailedException>(
            async () => await log.AppendAsync(Single, Record("after"), Cancel));
        Assert.Equal(AppendFailure.NotPersisted, failed.Failure);
        Assert.Equal(new LogRange(0, 1), await log.RangeAsync(Single, Cancel));
    }

    [Fact]
    public async Task Two_readers_of_one_partition_read_each_from_its_own_place()
    {
        var log = Open();
        var offsets = await log.AppendAsync(Single, [.. Enumerable.Range(0, 100).Select(i => Record($"{i}"))], Cancel);
        await using var first = log.OpenReader(Single, 0);
        await using var second = log.OpenReader(Single, offsets[50]);

        Assert.Equal("50", Text((await ReadAsync(second, 50))[0]));
        Assert.Equal("0", Text((await ReadAsync(first, 100))[0]));
        await log.AppendAsync(Single, Record("both"), Cancel);
        Assert.Equal("both", Text(Assert.Single(await ReadAsync(first, 1))));
        Assert.Equal("both", Text(Assert.Single(await ReadAsync(second, 1))));
    }

    [Fact]
    public async Task A_group_that_stands_where_the_log_does_not_reach_fails()
    {
        var log = Open();
        var config = new ConsumerConfig { BootstrapServers = _brokers[0], GroupId = $"{_prefix}lost" };
        using (var consumer = new ConsumerBuilder<byte[], byte[]>(config).Build())
            consumer.Commit([new(new($"{_prefix}orders", 1), 4711)]);

        var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => log.ConsumeAsync(
            "lost", "orders", (_, cancel) => Task.Delay(Timeout.Infinite, cancel), Cancel).WaitAsync(Patience, Cancel));

        Assert.Contains("4711", failed.Message, StringComparison.Ordinal);
    }

    private KafkaLog Open(KafkaLogOptions? options = null)
    {
        var between = new KafkaConnection(_brokers);
        var log = New(between.Bootstraps, options ?? new());
        var stop = new CancellationTokenSource();
        _opened.Add(new(log, between, stop, Task.Run(() => log.RunAsync(stop.Token))));
        return log;
    }

    private KafkaLog New(string bootstraps, KafkaLogOptions options, Topic[]? topics = null)
    {
        options.BootstrapServers = bootstraps;
        options.TopicPrefix = _prefix;
        (options.Replication, options.MinInSyncReplicas) = (KafkaCluster.Replication, 1);
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
        // Real brokers allow no less.
        options.SessionTimeout = KafkaCluster.IsMock ? TimeSpan.FromSeconds(2) : TimeSpan.FromSeconds(6);
        return new(Options.Create(options), topics ?? Topics, TimeProvider.System, NullLogger<KafkaLog>.Instance);
    }

    /// <returns>Brokers as they name themselves: only so can their addresses be found in what they say.</returns>
    private static string[] Advertised(string bootstraps)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstraps }).Build();
        return [.. admin.GetMetadata(Patience).Brokers.Select(broker => $"{broker.Host}:{broker.Port}")];
    }

    private sealed record Opened(
        KafkaLog Log, KafkaConnection Connection, CancellationTokenSource Stop, Task Running);
}
