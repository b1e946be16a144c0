using Platform;

namespace Audit;

/// <summary>Brings records of the event log: of several partitions to one log.</summary>
/// <param name="sealedLog">Which log.</param>
/// <param name="log">Where the records are.</param>
/// <param name="owned">The partition that the group gave to us for this log: the first source.</param>
/// <param name="options">Limits.</param>
/// <param name="turns">Shared by all logs of the process.</param>
/// <param name="clock">Measures how long entries wait.</param>
/// <param name="stop">Ends what is being read.</param>
internal sealed class EventFeed(
    SealedLog sealedLog, IEventLog log, IOwnedPartition owned, AuditOptions options, SealTurns turns,
    TimeProvider clock, CancellationToken stop) : IEntryFeed
{
    /// <summary>Whoever holds no more needs no turn.</summary>
    private const int SmallSizeBytes = 512 * 1024;

    private const int ReadCountMax = 2_500;

    private readonly PartitionFeed[] _sources = [.. sealedLog.Sources.Select(source =>
        new PartitionFeed(source, log, Is(source, owned.Partition) ? owned : null, stop))];
    private long? _firstAt;
    private bool _hasTurn;

    /// <summary>How long the first waiting entry has been waiting; zero while none is.</summary>
    public TimeSpan Waiting => _firstAt is { } at ? clock.GetElapsedTime(at) : TimeSpan.Zero;

    private int Count => _sources.Sum(source => source.Count);

    private long SizeBytes => _sources.Sum(source => source.SizeBytes);

    public async ValueTask SeekAsync(LogHead head, CancellationToken cancel)
    {
        foreach (var source in _sources) await source.SeekAsync(head.OffsetOf(source.Source.Name), cancel);
        _firstAt = Count > 0 ? clock.GetTimestamp() : null;
        if (SizeBytes <= SmallSizeBytes) EndTurn();
    }

    public async ValueTask<IReadOnlyList<OffsetRange>> WaitAsync(CancellationToken cancel)
    {
        while (true)
        {
            var left = Count > 0 ? options.SealAfter - Waiting : Timeout.InfiniteTimeSpan;
            if (Count >= options.SealEntryCountMax || SizeBytes >= options.SealSizeBytesMax
                || (Count > 0 && left <= TimeSpan.Zero) || !await MayGrowAsync(left, cancel))
            {
                return Ranges();
            }

            Task any = Task.WhenAny(_sources.Select(source => source.Reading(ReadCountMax)));
            await any.WaitAsync(left, clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancel.ThrowIfCancellationRequested();
            foreach (var source in _sources) await source.TakeAsync();
            if (Count > 0) _firstAt ??= clock.GetTimestamp();
        }
    }

    public async ValueTask LoadAsync(IReadOnlyList<OffsetRange> ranges, CancellationToken cancel)
    {
        foreach (var range in ranges) await Of(range).LoadAsync(range.To, ReadCountMax, cancel);
    }

    public IEnumerable<FeedEntry> Entries(OffsetRange range)
    {
        var source = Of(range);
        return source.Records.TakeWhile(record => record.Offset < range.To)
            .Select(record => new FeedEntry(source.Source, record.Offset, record.Value));
    }

    public ValueTask CommitAsync(LogHead head, CancellationToken cancel) =>
        owned.CommitAsync(head.OffsetOf(owned.Partition.ToString()), cancel);

    public async ValueTask DisposeAsync()
    {
        EndTurn();
        foreach (var source in _sources) await source.DisposeAsync();
    }

    private static bool Is(EntrySource source, TopicPartition partition) =>
        source.Topic == partition.Topic && source.Partition == partition.Partition;

    private PartitionFeed Of(OffsetRange range) => Array.Find(_sources, source => source.Source.Name == range.Source)
        ?? throw new InvalidOperationException($"{sealedLog.Name} has no source {range.Source}.");

    /// <summary>Of what is at hand as much as a segment takes, every source its share.</summary>
    private List<OffsetRange> Ranges()
    {
        var counts = _sources.Select(source => Math.Min(source.Count, options.SealEntryCountMax / _sources.Length))
            .ToArray();
        var left = options.SealEntryCountMax - counts.Sum();
        var ranges = new List<OffsetRange>(_sources.Length);
        var sizeBytes = 0L;
        for (var i = 0; i < _sources.Length; i++)
        {
            var more = Math.Min(left, _sources[i].Count - counts[i]);
            left -= more;
            long? first = null;
            var next = 0L;
            foreach (var record in _sources[i].Records.Take(counts[i] + more))
            {
                sizeBytes += PartitionFeed.SizeOf(record);
                if (sizeBytes > options.SealSizeBytesMax && (first is not null || ranges.Count > 0)) break;
                first ??= record.Offset;
                next = record.Offset + 1;
            }

            if (first is not null) ranges.Add(new(_sources[i].Source.Name, _sources[i].From, next));
        }

        return ranges;
    }

    private async ValueTask<bool> MayGrowAsync(TimeSpan left, CancellationToken cancel)
    {
        if (_hasTurn || SizeBytes <= SmallSizeBytes) return true;
        return _hasTurn = await turns.TryFillAsync(left, cancel);
    }

    private void EndTurn()
    {
        if (_hasTurn) turns.EndFill();
        _hasTurn = false;
    }
}
