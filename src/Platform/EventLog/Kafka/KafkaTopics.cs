using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Platform;

/// <summary>Creates the registered topics, and looks at those that are there.</summary>
internal sealed class KafkaTopics(KafkaClients clients, IAdminClient admin, LogTopics topics)
{
    private TimeSpan Timeout => clients.Options.RequestTimeout;

    public async Task<int> EnsureAsync(CancellationToken cancel)
    {
        var there = await PartitionsAsync(cancel);
        foreach (var topic in topics.All)
        {
            if (there.TryGetValue(topic.Name, out var partitions) && partitions.Count != topic.Partitions)
            {
                throw new LogNotReadyException($"Topic {topic.Name} was created with {partitions.Count} "
                    + $"partitions; it cannot have {topic.Partitions} now.");
            }
        }

        var missing = topics.All.Where(topic => !there.ContainsKey(topic.Name)).ToArray();
        if (missing.Length == 0) return 0;
        try
        {
            await admin.CreateTopicsAsync(missing.Select(topic => new TopicSpecification
            {
                Name = clients.Named(topic.Name),
                NumPartitions = topic.Partitions,
                ReplicationFactor = (short)clients.Options.Replication,
                Configs = TopicDifferences.Settings(topic, clients.Options),
            }), new() { RequestTimeout = Timeout, OperationTimeout = Timeout }).WaitAsync(cancel);
        }
        catch (CreateTopicsException e) when (e.Results.All(result =>
            !result.Error.IsError || result.Error.Code is ErrorCode.TopicAlreadyExists))
        {
            // Somebody else creates them at the same time: as they are by then, they are compared at every start.
            return e.Results.Count(result => !result.Error.IsError);
        }

        return missing.Length;
    }

    public async Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel)
    {
        var there = await PartitionsAsync(cancel);
        var settings = await SettingsAsync([.. there.Keys], cancel);
        return
        [
            .. topics.All.OrderBy(topic => topic.Name, StringComparer.Ordinal).SelectMany(topic => TopicDifferences.Of(
                topic,
                there.TryGetValue(topic.Name, out var partitions) ? new(partitions, settings[topic.Name]) : null,
                clients.Options)),
        ];
    }

    public async Task RequireAsync(CancellationToken cancel)
    {
        var there = await PartitionsAsync(cancel);
        foreach (var topic in topics.All)
        {
            var name = clients.Named(topic.Name);
            if (!there.TryGetValue(topic.Name, out var partitions))
                throw new LogNotReadyException($"Kafka has no topic {name}: run admin log init.");
            if (partitions.Count != topic.Partitions)
            {
                throw new LogNotReadyException(
                    $"Kafka's topic {name} has {partitions.Count} partitions and not {topic.Partitions}: "
                    + "Log__VotePartitions is fixed at installation.");
            }
        }
    }

    /// <returns>
    /// By topic, as we name it, the copies of each partition; topics that are not there are left out.
    /// </returns>
    private async Task<Dictionary<string, IReadOnlyList<int>>> PartitionsAsync(CancellationToken cancel)
    {
        IEnumerable<TopicDescription> found;
        var asked = TopicCollection.OfTopicNames([.. topics.All.Select(topic => clients.Named(topic.Name))]);
        try
        {
            var answer = await admin.DescribeTopicsAsync(asked, new() { RequestTimeout = Timeout }).WaitAsync(cancel);
            found = answer.TopicDescriptions;
        }
        catch (DescribeTopicsException e)
        {
            found = e.Results.TopicDescriptions;
        }

        var there = new Dictionary<string, IReadOnlyList<int>>();
        foreach (var topic in found)
        {
            if (topic.Error.Code is ErrorCode.UnknownTopicOrPart) continue;
            if (topic.Error.IsError) throw new KafkaException(topic.Error);
            there[topic.Name[clients.Options.TopicPrefix.Length..]] =
                [.. topic.Partitions.OrderBy(partition => partition.Partition).Select(one => one.Replicas.Count)];
        }

        return there;
    }

    private async Task<Dictionary<string, Dictionary<string, string>>> SettingsAsync(
        string[] of, CancellationToken cancel)
    {
        if (of.Length == 0) return [];
        var asked = of.Select(topic => new ConfigResource { Type = ResourceType.Topic, Name = clients.Named(topic) });
        var answer = await admin.DescribeConfigsAsync(asked, new() { RequestTimeout = Timeout }).WaitAsync(cancel);
        return answer.ToDictionary(
            topic => topic.ConfigResource.Name[clients.Options.TopicPrefix.Length..],
            topic => topic.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Value));
    }
}
