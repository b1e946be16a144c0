using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace Audit;

/// <summary>
/// Seals the log of all other events, and the log of logs: where the group gives the first partition. Whoever has
/// another one only commits what is sealed of it.
/// </summary>
/// <remarks>So one process does it, and another takes over as soon as it is gone; two at once do no harm.</remarks>
internal sealed partial class SealEvents(
    IEventLog log, SealedLogs logs, Sealing sealing, HeadTable heads, TimeProvider clock, ILogger<SealEvents> logger)
    : BackgroundService
{
    /// <summary>What it has committed of a partition is archived.</summary>
    public const string Group = "audit-events";

    private static readonly TimeSpan CommitInterval = TimeSpan.FromSeconds(5);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        log.ConsumeAsync(Group, Outbox.Topic.Name, WorkAsync, stoppingToken);

    internal async Task WorkAsync(IOwnedPartition owned, CancellationToken stop)
    {
        if (owned.Partition.Partition != 0)
        {
            await CommitAsync(owned, stop);
            return;
        }

        await Loops.RunAsync(stop, end => sealing.EventsAsync(logs.Events, owned, end), sealing.NotesAsync);
    }

    private async Task CommitAsync(IOwnedPartition owned, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var head = await heads.LoadAsync(logs.Events.Name, stop);
                await owned.CommitAsync(head.OffsetOf(owned.Partition.ToString()), stop);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException)
            {
                NotCommitted(logger, e, owned.Partition);
            }

            await Task.Delay(CommitInterval, clock, stop);
        }
    }

    [LoggerMessage(LogLevel.Warning, "What is archived of {Partition} could not be committed; it will be")]
    private static partial void NotCommitted(ILogger logger, Exception failure, TopicPartition partition);
}
