using Audit;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform;
using Testing;

namespace AuditTests;

/// <summary>The same on Kafka's log, whose groups give partitions to processes that come, and take them away.</summary>
public sealed class KafkaSealingTests(KafkaCluster cluster, Postgres postgres) : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-sealing-");
    private readonly string _prefix = KafkaCluster.NewPrefix();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DirectoryArchive Store => new(_directory.FullName);

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Ended_midway_joined_by_another_and_overtaken_everything_is_sealed_once()
    {
        var bootstraps = await cluster.BootstrapsAsync(Cancel);
        await MakeTopicsAsync(bootstraps);
        await using var site = await SealingSite.OpenAsync(
            postgres, Store, () => RunningLog.Of(New(bootstraps)));
        await site.AppendEverywhereAsync(30);
        var log = SealingSite.Logs.Votes[1];
        foreach (var request in new[] { "put segment", "put checkpoint" })
        {
            var gate = new Gate(Store);
            var came = gate.HoldBefore(request, log.Folder);
            await site.RestartAsync(gate);
            await site.AppendEverywhereAsync(10);
            await came.WaitAsync(SealingSite.Patience, Cancel);
        }

        var last = await site.RestartAsync();
        await site.SettledAsync();
        // One that takes partitions from it, and one of another group, which has all of them as well.
        site.Start();
        site.Start(groups: "-of-another");
        for (var i = 0; i < 3; i++)
        {
            await site.AppendEverywhereAsync(20);
            await site.SettledAsync();
        }

        await SealedArchive.AssertAllAsync(site, last);
    }

    private async Task MakeTopicsAsync(string bootstraps)
    {
        if (!KafkaCluster.IsMock)
        {
            await using var log = New(bootstraps);
            await log.EnsureTopicsAsync(Cancel);
            return;
        }

        foreach (var topic in SealingSite.Topics)
            await cluster.CreateTopicAsync(_prefix + topic.Name, topic.Partitions, Cancel);
    }

    private KafkaLog New(string bootstraps) => new(
        Options.Create(new KafkaLogOptions
        {
            BootstrapServers = bootstraps,
            TopicPrefix = _prefix,
            Replication = KafkaCluster.Replication,
            MinInSyncReplicas = 1,
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            // Real brokers allow no less.
            SessionTimeout = KafkaCluster.IsMock ? TimeSpan.FromSeconds(2) : TimeSpan.FromSeconds(6),
        }),
        SealingSite.Topics, TimeProvider.System, NullLogger<KafkaLog>.Instance);
}
