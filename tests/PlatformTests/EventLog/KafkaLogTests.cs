using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform;
using Testing;

namespace PlatformTests;

/// <summary>The Kafka log keeps what every log promises, and what only it can be asked for.</summary>
public sealed class KafkaLogTests(KafkaCluster cluster) : GroupConformanceTests
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

    private KafkaLog Open(KafkaLogOptions? options = null)
    {
        var between = new KafkaConnection(_brokers);
        var log = New(between.Bootstraps, options ?? new());
        var stop = new CancellationTokenSource();
        _opened.Add(new(log, between, stop, Task.Run(() => log.RunAsync(stop.Token))));
        return log;
    }

    private KafkaLog New(string bootstraps, KafkaLogOptions options)
    {
        options.BootstrapServers = bootstraps;
        options.TopicPrefix = _prefix;
        (options.Replication, options.MinInSyncReplicas) = (KafkaCluster.Replication, 1);
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
        // Real brokers allow no less.
        options.SessionTimeout = KafkaCluster.IsMock ? TimeSpan.FromSeconds(2) : TimeSpan.FromSeconds(6);
        return new(Options.Create(options), Topics, TimeProvider.System, NullLogger<KafkaLog>.Instance);
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
