using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Audit;

/// <summary>Seals one log, checkpoint by checkpoint. Belongs to one loop.</summary>
/// <remarks>
/// Of each checkpoint: (0) the head says what it will hold; (1) its entries go to the archive; (2) the head moves on,
/// with the signed checkpoint; (3) that goes to the archive; (4) the sources are told. Wherever this ends, whoever goes
/// on reads the head and does the same: what is sealed was decided in (0), and only one writer gets past (2).
/// </remarks>
internal sealed partial class LogSealer(
    SealedLog log, IReadOnlyList<NoteSigner> signers, ArchivedLog archive, HeadTable heads, IArchiveStore store,
    SealTurns turns, SealMetrics metrics, TimeProvider clock, ILogger logger)
{
    // A few milliseconds of work, then others of the process have theirs.
    private const int EntriesATurn = 256;

    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(5);

    private TimeSpan _backoff;

    /// <summary>Seals until told to stop. Outlives outages of the database and of the archive.</summary>
    /// <exception cref="ArchiveContradictionException">Archive and database say different things.</exception>
    /// <exception cref="InvalidOperationException">The event log lost records, or the database is damaged.</exception>
    public async Task RunAsync(IEntryFeed feed, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var pause = BackoffMin;
            try
            {
                await SealOnAsync(feed, stop);
                Overtaken(logger, log.Name);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (IsPassing(e))
            {
                pause = _backoff = _backoff == TimeSpan.Zero ? BackoffMin : Min(_backoff * 2, BackoffMax);
                metrics.Failed(log, e is ArchiveStoreException ? "archive" : "database");
                var mustAct = e is ArchiveStoreException { IsTransient: false }
                    or PostgresException { IsTransient: false };
                Interrupted(logger, mustAct ? LogLevel.Error : LogLevel.Warning, e, log.Name);
            }

            await Task.Delay(pause, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Seals until somebody else does.</summary>
    private async Task SealOnAsync(IEntryFeed feed, CancellationToken stop)
    {
        var head = await TakeOverAsync(stop);
        while (head is not null)
        {
            await feed.SeekAsync(head, stop);
            await feed.CommitAsync(head, stop);
            _backoff = TimeSpan.Zero;
            if (head.Intent is null)
            {
                var intent = Intent(head, await feed.WaitAsync(stop));
                if (await heads.IntendAsync(head, intent, stop) is not { } intended) return;
                head = intended;
            }

            var begun = clock.GetTimestamp();
            var sealing = await SealAsync(head, head.Intent!, feed, stop);
            if (sealing is not null) metrics.Sealed(log, sealing.Size - head.Size, clock.GetElapsedTime(begun));
            head = sealing;
        }
    }

    /// <summary>Loads the head and brings head and archive to the same checkpoint.</summary>
    /// <returns>Null when somebody else is writing to the head.</returns>
    private async Task<LogHead?> TakeOverAsync(CancellationToken stop)
    {
        var head = await heads.LoadAsync(log.Name, stop);
        var newest = await archive.NewestAsync(Math.Max(0, head.Checkpoint - 1), head.Size, stop);
        if (newest is not null && newest.Statement.Number > head.Checkpoint)
        {
            // Most often another process has just sealed it; then the head says so by now.
            if ((await heads.LoadAsync(log.Name, stop)).Version != head.Version) return null;
            return await new AdoptCheckpoints(log, archive, heads, logger).RunAsync(head, newest, stop);
        }

        if (head.Document is not { } document)
        {
            if (newest is null && await archive.HoldsOthersAsync(stop)) OthersThere(logger, log.Name, log.Origin);
            return head;
        }

        if (newest is not null && newest.Digest != document.Digest)
        {
            throw new ArchiveContradictionException(
                log.Name, $"checkpoint {head.Checkpoint} is another in the archive than in the database");
        }

        if (newest is null && head.Published == head.Checkpoint)
        {
            throw new ArchiveContradictionException(
                log.Name, $"the archive does not hold checkpoint {head.Checkpoint}, which it held");
        }

        if (newest is null) await PutAsync(document, stop);
        return head.Published < head.Checkpoint ? await heads.PublishAsync(head, stop) : head;
    }

    private SealIntent Intent(LogHead head, IReadOnlyList<OffsetRange> ranges)
    {
        var now = clock.GetUtcNow();
        now = new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMillisecond), TimeSpan.Zero);
        // Clocks of two processes may be apart; the log's time does not go back.
        return new(head.Checkpoint + 1, head.Document?.Statement.Time is { } last && last > now ? last : now, ranges);
    }

    /// <returns>The head at the checkpoint, which the archive holds; null when somebody else wrote to the
    /// head.</returns>
    private async Task<LogHead?> SealAsync(LogHead head, SealIntent intent, IEntryFeed feed, CancellationToken stop)
    {
        await feed.LoadAsync(intent.Ranges, stop);
        var growth = new LogGrowth(head.Frontier);
        using var segment = new SegmentWriter(head.Size, head.LastHash);
        await ComposeAsync(intent, feed, growth, segment, stop);

        var content = segment.Finish();
        var put = await store.PutAsync(
            ArchiveKey.Segment(log.Folder, intent.Number), content, SegmentWriter.ContentType, stop);

        // A checkpoint that the head does not know: the log signed it, and must not sign another of that number.
        if (await archive.NewestAsync(head.Checkpoint, head.Size, stop) is not null) return null;
        var stored = new SegmentReference(put.Key, put.VersionId, Digest.Of(content.Span));
        var document = Sign(head, intent, growth, segment.LastHash, stored);
        if (await heads.AdvanceAsync(head, document, growth, content.Length, false, stop) is not { } next) return null;

        await PutAsync(document, stop);
        return await heads.PublishAsync(next, stop);
    }

    private async Task ComposeAsync(
        SealIntent intent, IEntryFeed feed, LogGrowth growth, SegmentWriter segment, CancellationToken stop)
    {
        await turns.ComposeAsync(stop);
        try
        {
            foreach (var range in intent.Ranges)
            {
                growth.Begin(range);
                foreach (var entry in feed.Entries(range))
                {
                    growth.Add(segment.Add(entry.Source, entry.Offset, entry.Event.Span));
                    if (growth.Count % EntriesATurn == 0) await Task.Yield();
                }
            }
        }
        finally
        {
            turns.EndComposing();
        }

        if (growth.Count == 0) throw new UnreachableException("An intent without entries.");
    }

    private CheckpointDocument Sign(
        LogHead head, SealIntent intent, LogGrowth growth, in Digest lastHash, SegmentReference segment)
    {
        var tree = new Checkpoint(log.Origin, growth.Frontier.Size, growth.Frontier.Root);
        var statement = new CheckpointStatement
        {
            Log = log.Name,
            Number = intent.Number,
            Entries = growth.Count,
            LastHash = lastHash,
            Offsets = head.OffsetsBehind(intent.Ranges),
            Ranges = intent.Ranges,
            Segment = segment,
            Previous = head.Document?.Digest,
            Time = intent.Time,
            Note = SignedCheckpoint.Sign(tree, signers),
        };
        return CheckpointDocument.Sign(statement, signers[0]);
    }

    private Task<ArchivedVersion> PutAsync(CheckpointDocument document, CancellationToken stop) => store.PutAsync(
        ArchiveKey.Checkpoint(log.Folder, document.Statement.Number), document.Bytes, CheckpointDocument.ContentType,
        stop);

    // What breaks a rule of the tables does so again at each try.
    private static bool IsPassing(Exception e) => e is ArchiveStoreException or TimeoutException
        or OperationCanceledException
        || (e is NpgsqlException && e is not PostgresException { SqlState: ['2', '3', ..] });

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;

    [LoggerMessage(LogLevel.Information, "Somebody else seals log {Log} as well: reading anew where it stands")]
    private static partial void Overtaken(ILogger logger, string log);

    [LoggerMessage(LogLevel.Error,
        "The archive holds checkpoints where those of log {Log} belong, and none is signed by a key of {Origin}: is it "
        + "the archive of another installation? What is sealed comes to lie beside them")]
    private static partial void OthersThere(ILogger logger, string log, string origin);

    [LoggerMessage(Message = "Sealing log {Log} was interrupted; nothing is lost, and it goes on by itself")]
    private static partial void Interrupted(ILogger logger, LogLevel level, Exception failure, string log);
}
