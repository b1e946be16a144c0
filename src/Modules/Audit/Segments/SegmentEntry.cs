namespace Audit;

/// <summary>One line of a segment.</summary>
/// <param name="Index">The entry's place in its log, from zero.</param>
/// <param name="Previous">The link before it; 32 zero bytes before the first entry.</param>
/// <param name="Hash">Its own link: SHA-256 of <paramref name="Previous"/> and the event.</param>
/// <param name="Source">Where it comes from: the same object in consecutive lines of one source.</param>
/// <param name="Offset">Its place in the source.</param>
/// <param name="Event">The original bytes. Valid until the next line is read.</param>
internal readonly record struct SegmentEntry(
    long Index, Digest Previous, Digest Hash, EntrySource Source, long Offset, ReadOnlyMemory<byte> Event)
{
    /// <summary>What stands in the tree: SHA-256 of the event.</summary>
    public Digest Entry => Digest.Of(Event.Span);

    /// <returns>Whether it is the entry of that index and its links are right.</returns>
    public bool Continues(long index, in Digest last) =>
        Index == index && Previous == last && Hash == Digest.Of(last, Event.Span);
}
