using System.Globalization;

namespace Platform;

/// <summary>A topic as brokers have it.</summary>
/// <param name="Replicas">Copies of each partition, by number.</param>
/// <param name="Settings">Its settings, defaults of the brokers included.</param>
internal sealed record FoundTopic(IReadOnlyList<int> Replicas, IReadOnlyDictionary<string, string> Settings);

/// <summary>What a topic must be like among brokers, and how one that is there differs from it.</summary>
internal static class TopicDifferences
{
    // A record of 900 KiB with its key and headers, in a batch of its own.
    private const int BatchSizeBytes = 1024 * 1024;

    /// <returns>The settings that a topic is created with.</returns>
    public static Dictionary<string, string> Settings(Topic topic, KafkaLogOptions options) => new()
    {
        ["cleanup.policy"] = (topic.Compacted, topic.Retention) switch
        {
            (false, _) => "delete",
            (true, null) => "compact",
            (true, _) => "compact,delete",
        },
        ["retention.ms"] = topic.Retention is { } kept
            ? ((long)kept.TotalMilliseconds).ToString(CultureInfo.InvariantCulture) : "-1",
        ["retention.bytes"] = "-1",
        ["min.insync.replicas"] = options.MinInSyncReplicas.ToString(CultureInfo.InvariantCulture),
        ["unclean.leader.election.enable"] = "false",
        // Age is what the brokers' clocks say, not those of the many that append.
        ["message.timestamp.type"] = "LogAppendTime",
        ["max.message.bytes"] = BatchSizeBytes.ToString(CultureInfo.InvariantCulture),
    };

    /// <returns>Every difference, one sentence each.</returns>
    public static IEnumerable<string> Of(Topic expected, FoundTopic? found, KafkaLogOptions options)
    {
        var name = options.TopicPrefix + expected.Name;
        if (found is null)
        {
            yield return $"{name} is missing.";
            yield break;
        }

        if (found.Replicas.Count != expected.Partitions)
            yield return $"{name} has {found.Replicas.Count} partitions instead of {expected.Partitions}.";
        foreach (var (partition, copies) in found.Replicas.Index().Where(one => one.Item < options.Replication))
            yield return $"{name}-{partition} has {copies} replicas instead of {options.Replication}.";
        foreach (var (setting, value) in Settings(expected, options))
        {
            var actual = found.Settings.GetValueOrDefault(setting);
            if (!IsSame(setting, value, actual))
                yield return $"{name} has {setting}={actual ?? "nothing"} instead of {value}.";
        }
    }

    private static bool IsSame(string setting, string expected, string? found) => setting switch
    {
        // More is as good.
        "max.message.bytes" or "min.insync.replicas" =>
            long.TryParse(found, CultureInfo.InvariantCulture, out var count)
            && count >= long.Parse(expected, CultureInfo.InvariantCulture),
        "cleanup.policy" => found is not null && expected.Split(',').Order().SequenceEqual(
            found.Split(',', StringSplitOptions.TrimEntries).Order()),
        _ => found == expected,
    };
}
