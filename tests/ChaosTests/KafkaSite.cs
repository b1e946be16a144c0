using Confluent.Kafka;
using Npgsql;
using Testing;

namespace ChaosTests;

/// <summary>The same installation with its log in Kafka, and a process more that shows live results.</summary>
public sealed class KafkaSite(Postgres postgres, KafkaCluster cluster) : IAsyncLifetime
{
    private readonly KafkaSiteLog _log = new(cluster);
    private Site? _site;

    internal Site Site => _site ?? throw new InvalidOperationException("Not started.");

    /// <summary>Shows live results, and does nothing else.</summary>
    internal HostProcess Streams { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _site = new(postgres) { Log = _log };
        await _site.InitializeAsync();
        Streams = await _site.Installation.StartHostAsync("sse");
    }

    public async ValueTask DisposeAsync()
    {
        if (_site is not null) await _site.DisposeAsync();
        _log.Dispose();
    }
}

/// <summary>The log in Kafka. What it holds is read by a consumer of the tests' own.</summary>
internal sealed class KafkaSiteLog(KafkaCluster cluster) : SiteLog, IDisposable
{
    private const int VotePartitions = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    // What is expected of an installation: the mock cluster cannot be asked by the verb that creates them.
    private static readonly (string Name, int Partitions)[] Topics =
        [("votes", VotePartitions), ("vote-outcomes", VotePartitions), ("tallies", 4), ("revocations", 1),
            ("domain-events", 4)];

    private readonly string _prefix = KafkaCluster.NewPrefix();
    private string _bootstraps = "";
    private IConsumer<byte[], byte[]>? _reader;

    public void Dispose() => _reader?.Dispose();

    public override async Task<Dictionary<string, string>> SettingsAsync()
    {
        _bootstraps = await cluster.BootstrapsAsync();
        var settings = new Dictionary<string, string>
        {
            ["Log__Provider"] = "",
            ["Log__Kafka__BootstrapServers"] = _bootstraps,
            ["Log__Kafka__TopicPrefix"] = _prefix,
            ["Log__Kafka__Replication"] = $"{KafkaCluster.Replication}",
            ["Log__Kafka__MinInSyncReplicas"] = "1",
            ["Log__Kafka__HeartbeatInterval"] = "00:00:00.250",
            ["Log__Kafka__SessionTimeout"] = KafkaCluster.IsMock ? "00:00:03" : "00:00:06",
        };
        if (KafkaCluster.IsMock)
        {
            foreach (var (name, partitions) in Topics) await cluster.CreateTopicAsync(_prefix + name, partitions);
        }

        return settings;
    }

    public override Task PrepareAsync(Installation installation) =>
        KafkaCluster.IsMock ? Task.CompletedTask : installation.RunAsync(["admin", "log", "init"]);

    public override Task<List<LoggedRecord>> ReadAsync(NpgsqlDataSource database, string topic) => Task.Run(() =>
    {
        var reader = Reader();
        var ends = Partitions(topic).ToDictionary(
            partition => partition, partition => reader.QueryWatermarkOffsets(partition, Patience));
        reader.Assign(ends.Select(end => new TopicPartitionOffset(end.Key, end.Value.Low)));
        var left = ends.Sum(end => end.Value.High.Value - end.Value.Low.Value);
        var records = new List<LoggedRecord>();
        while (records.Count < left)
        {
            if (reader.Consume(Patience) is not { } read) throw new TimeoutException($"{topic} ends too early.");
            if (read.Offset >= ends[read.TopicPartition].High) continue;
            records.Add(new(read.Partition, read.Offset, read.Message.Key ?? [], read.Message.Value,
                [.. read.Message.Headers.Select(header => (header.Key, header.GetValueBytes()))]));
        }

        reader.Unassign();
        return records.OrderBy(record => (record.Partition, record.Offset)).ToList();
    });

    public override Task<bool> IsSettledAsync(NpgsqlDataSource database) => Task.Run(() =>
        Reader().Committed(Partitions("votes"), Patience).TrueForAll(done =>
        {
            var end = Reader().QueryWatermarkOffsets(done.TopicPartition, Patience).High.Value;
            return end == (done.Offset == Offset.Unset ? 0 : done.Offset.Value);
        }));

    private IEnumerable<TopicPartition> Partitions(string topic) => Enumerable
        .Range(0, Topics.Single(known => known.Name == topic).Partitions)
        .Select(partition => new TopicPartition(_prefix + topic, partition));

    // In the group whose positions are asked for, which it never joins.
    private IConsumer<byte[], byte[]> Reader() => _reader ??= new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
    {
        BootstrapServers = _bootstraps,
        GroupId = $"{_prefix}count",
        EnableAutoCommit = false,
        AutoOffsetReset = AutoOffsetReset.Error,
    }).Build();
}
