namespace Audit;

/// <summary>Brings what is to be sealed to a log. Belongs to one loop.</summary>
internal interface IEntryFeed : IAsyncDisposable
{
    /// <summary>Goes to where sealing goes on; what was read behind that stays at hand.</summary>
    /// <exception cref="InvalidOperationException">A source does not hold what comes next.</exception>
    ValueTask SeekAsync(LogHead head, CancellationToken cancel);

    /// <summary>Waits until there are enough entries, or the first one has waited for long enough.</summary>
    /// <returns>What to seal, in the order of the log's sources: at least one range, none empty.</returns>
    ValueTask<IReadOnlyList<OffsetRange>> WaitAsync(CancellationToken cancel);

    /// <summary>Brings ranges to hand that begin where sealing goes on.</summary>
    /// <exception cref="InvalidOperationException">A source ends before them.</exception>
    ValueTask LoadAsync(IReadOnlyList<OffsetRange> ranges, CancellationToken cancel);

    /// <returns>All entries of a range that was loaded, in their order.</returns>
    IEnumerable<FeedEntry> Entries(OffsetRange range);

    /// <summary>Says to the sources what is sealed.</summary>
    ValueTask CommitAsync(LogHead head, CancellationToken cancel);
}

/// <summary>One entry to be.</summary>
internal readonly record struct FeedEntry(EntrySource Source, long Offset, ReadOnlyMemory<byte> Event);
