using Microsoft.Extensions.Hosting;
using Platform;
using Voting.Contracts;

namespace Audit;

/// <summary>Seals the log of every partition of <c>votes</c> that the group gives to this process.</summary>
internal sealed class SealVotes(IEventLog log, SealedLogs logs, Sealing sealing) : BackgroundService
{
    /// <summary>What it has committed of a partition is archived.</summary>
    public const string Group = "audit";

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => log.ConsumeAsync(
        Group, VoteTopics.Votes,
        (owned, stop) => sealing.EventsAsync(logs.Votes[owned.Partition.Partition], owned, stop), stoppingToken);
}
