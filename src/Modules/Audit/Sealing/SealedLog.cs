using System.Globalization;
using Platform;
using Voting.Contracts;

namespace Audit;

/// <summary>One transparency log: what it is called, and where its entries come from.</summary>
/// <param name="Name">Such as <c>votes-07</c>.</param>
/// <param name="Origin">Its name for everybody: that of its keys as well.</param>
/// <param name="Folder">What its keys in the archive begin with: <c>votes/votes-07</c>.</param>
/// <param name="Sources">Entries stand in the order of these, then of offsets, within a segment.</param>
internal sealed record SealedLog(string Name, string Origin, string Folder, IReadOnlyList<EntrySource> Sources)
{
    /// <summary>The purpose of its keys in the key ring.</summary>
    public string KeyPurpose => $"log-{Name}";
}

/// <summary>The installation's logs. They follow from the topics and never change.</summary>
internal sealed class SealedLogs
{
    public const string EventsName = "events";
    public const string CheckpointsName = "checkpoints";

    /// <param name="origin"><see cref="AuditOptions.Origin"/>.</param>
    /// <param name="votePartitions">Of the topic <c>votes</c>.</param>
    public SealedLogs(string origin, int votePartitions)
    {
        Votes = [.. Enumerable.Range(0, votePartitions).Select(partition =>
        {
            var name = NameOf(partition);
            return new SealedLog(name, $"{origin}/{name}", $"votes/{name}",
                [new(VoteTopics.Votes, partition), new(VoteTopics.Outcomes, partition)]);
        })];
        Events = new(EventsName, $"{origin}/{EventsName}", EventsName,
            [.. Enumerable.Range(0, Outbox.Topic.Partitions)
                .Select(partition => new EntrySource(Outbox.Topic.Name, partition))]);
        Checkpoints = new(CheckpointsName, $"{origin}/{CheckpointsName}", CheckpointsName,
            [.. Votes.Append(Events).Select(log => log.Name).Order(StringComparer.Ordinal)
                .Select(name => new EntrySource(name, null))]);
    }

    /// <summary>By partition: votes and their outcomes.</summary>
    public IReadOnlyList<SealedLog> Votes { get; }

    /// <summary>What happened to surveys, users and staff.</summary>
    public SealedLog Events { get; }

    /// <summary>The log of logs: every checkpoint of the others.</summary>
    public SealedLog Checkpoints { get; }

    /// <summary>The log of logs comes last.</summary>
    public IEnumerable<SealedLog> All => Votes.Append(Events).Append(Checkpoints);

    /// <returns>The log of a partition of <c>votes</c>: two digits at least.</returns>
    public static string NameOf(int partition) =>
        $"{VoteTopics.Votes}-{partition.ToString("00", CultureInfo.InvariantCulture)}";
}
