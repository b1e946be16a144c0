using System.Globalization;

namespace Audit;

/// <summary>What logs are called, and where the archive keeps them.</summary>
internal static class LogName
{
    public const string Events = SealedLogs.EventsName;
    public const string Checkpoints = SealedLogs.CheckpointsName;
    private const string VotesStart = "votes-";

    /// <returns>The part of an origin behind its last slash.</returns>
    public static string Of(string origin) => origin[(origin.LastIndexOf('/') + 1)..];

    /// <returns>What the keys of a log's objects begin with, without the last slash.</returns>
    public static string Folder(string log) => TryPartition(log, out _) ? $"votes/{log}" : log;

    /// <summary>Reads the partition of a log of votes.</summary>
    public static bool TryPartition(string log, out int partition)
    {
        partition = -1;
        return log.StartsWith(VotesStart, StringComparison.Ordinal)
            && int.TryParse(
                log.AsSpan(VotesStart.Length), NumberStyles.None, CultureInfo.InvariantCulture, out partition)
            && log == SealedLogs.NameOf(partition);
    }

    /// <returns>
    /// Where records of a range begin. Records are counted from zero; checkpoints, of the log of logs, from one.
    /// </returns>
    public static long FirstOffset(string log, in OffsetRange range) =>
        log == Checkpoints ? Math.Max(1, range.From) : range.From;

    /// <returns>In a log of votes, the first record of its partition behind a checkpoint; else 0.</returns>
    public static long RecordsEnd(string log, CheckpointStatement statement) => TryPartition(log, out var partition)
        ? statement.Offsets.GetValueOrDefault(new EntrySource("votes", partition).Name) : 0;

    /// <returns>Whether entries of the source belong into the log.</returns>
    public static bool Takes(string log, EntrySource source) => log switch
    {
        Events => source is { Topic: "domain-events", Partition: not null },
        Checkpoints => source.Partition is null && source.Topic != Checkpoints,
        _ => TryPartition(log, out var partition) && source.Partition == partition
            && source.Topic is "votes" or "vote-outcomes",
    };
}
