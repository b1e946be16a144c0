using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Platform;

namespace Audit;

/// <summary>Keys of a log as signers, newest first.</summary>
internal delegate IReadOnlyList<NoteSigner> LogSigners(SealedLog log);

/// <summary>
/// Every key that may have signed a checkpoint of a log, newest first: those that sign, then those that were retired
/// later. Of number 0, every key that the log has ever had.
/// </summary>
internal delegate IReadOnlyList<VerifierKey> LogVerifiers(SealedLog log, long checkpoint = 0);

/// <summary>What the sealers of a process have in common.</summary>
internal sealed class Sealing(
    IEventLog log, SealedLogs logs, LogSigners signers, LogVerifiers verifiers, HeadTable heads,
    AuditDatabase database, IArchiveStore store, SealTurns turns, SealMetrics metrics, IOptions<AuditOptions> options,
    TimeProvider clock, ILogger<LogSealer> logger)
{
    /// <summary>Seals a log whose first source the group gave to us, until that ends.</summary>
    public async Task EventsAsync(SealedLog sealing, IOwnedPartition owned, CancellationToken stop)
    {
        await using var feed = new EventFeed(sealing, log, owned, options.Value, turns, clock, stop);
        metrics.Watch(sealing, () => feed.Waiting);
        try
        {
            await Sealer(sealing).RunAsync(feed, stop);
        }
        finally
        {
            metrics.Forget(sealing);
        }
    }

    /// <summary>Seals the log of logs.</summary>
    public async Task NotesAsync(CancellationToken stop)
    {
        await using var feed = new NoteFeed(logs.Checkpoints, database, options.Value, clock);
        metrics.Watch(logs.Checkpoints, () => feed.Waiting);
        try
        {
            await Sealer(logs.Checkpoints).RunAsync(feed, stop);
        }
        finally
        {
            metrics.Forget(logs.Checkpoints);
        }
    }

    private LogSealer Sealer(SealedLog sealing) =>
        new(
            sealing, signers(sealing), new(sealing, number => verifiers(sealing, number), store), heads, store, turns,
            metrics, clock, logger);
}
