using Microsoft.Extensions.Logging;

namespace Audit;

/// <summary>
/// Brings a head up to what the archive holds: after a database was restored from a backup that is older than the
/// newest checkpoints. What was signed once is taken over entry by entry, never signed anew.
/// </summary>
internal sealed partial class AdoptCheckpoints(SealedLog log, ArchivedLog archive, HeadTable heads, ILogger logger)
{
    /// <returns>The head at the newest checkpoint; null when somebody else wrote to it.</returns>
    /// <exception cref="ArchiveContradictionException">A checkpoint does not continue the one before.</exception>
    public async Task<LogHead?> RunAsync(LogHead head, CheckpointDocument newest, CancellationToken cancel)
    {
        Adopting(logger, log.Name, head.Checkpoint + 1, newest.Statement.Number);
        while (head.Checkpoint < newest.Statement.Number)
        {
            var number = head.Checkpoint + 1;
            var document = number == newest.Statement.Number ? newest : await archive.FindAsync(number, cancel);
            if (document is null)
            {
                throw new ArchiveContradictionException(
                    log.Name, $"the archive holds no checkpoint {number}, but one of a higher number");
            }

            var segment = await archive.SegmentAsync(document.Statement, cancel);
            var growth = Check(head, document.Statement, segment);
            if (await heads.AdvanceAsync(head, document, growth, segment.Length, true, cancel) is not { } next)
                return null;
            head = next;
        }

        return head;
    }

    private LogGrowth Check(LogHead head, CheckpointStatement said, byte[] segment)
    {
        if (said.Previous != head.Document?.Digest || said.Size != head.Size + said.Entries
            || said.Ranges.Any(range => range.From != head.OffsetOf(range.Source)
                || log.Sources.All(source => source.Name != range.Source))
            || head.OffsetsBehind(said.Ranges).Except(said.Offsets).Any())
        {
            throw Contradicts(said, "does not continue the one before");
        }

        var growth = new LogGrowth(head.Frontier);
        try
        {
            if (Read(head, said, segment, growth) == said.LastHash && growth.Count == said.Entries
                && growth.Frontier.Root == said.Root && growth.Ranges.Count == said.Ranges.Count)
            {
                return growth;
            }
        }
        catch (InvalidDataException e)
        {
            throw Contradicts(said, $"names a segment that is none: {e.Message}");
        }

        throw Contradicts(said, "names a segment of other entries than it says");
    }

    /// <returns>The chain's last link.</returns>
    private Digest Read(LogHead head, CheckpointStatement said, byte[] segment, LogGrowth growth)
    {
        var (last, index, at, next) = (head.LastHash, head.Size, -1, 0L);
        using var reader = new SegmentReader(segment);
        while (reader.TryRead(out var entry))
        {
            if (at < 0 || said.Ranges[at].Source != entry.Source.Name)
            {
                if (++at == said.Ranges.Count || said.Ranges[at].Source != entry.Source.Name)
                    throw Contradicts(said, $"has entry {index} out of order");
                growth.Begin(said.Ranges[at]);
                next = said.Ranges[at].From;
            }

            if (!entry.Continues(index, last) || entry.Offset < next || entry.Offset >= said.Ranges[at].To)
                throw Contradicts(said, $"has a wrong entry {index}");
            growth.Add(entry.Entry);
            (last, index, next) = (entry.Hash, index + 1, entry.Offset + 1);
        }

        return last;
    }

    private ArchiveContradictionException Contradicts(CheckpointStatement said, string what) =>
        new(log.Name, $"checkpoint {said.Number} in the archive {what}");

    [LoggerMessage(LogLevel.Warning,
        "Log {Log} is behind the archive: taking over its checkpoints {First} to {Last}")]
    private static partial void Adopting(ILogger logger, string log, long first, long last);
}
