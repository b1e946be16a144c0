namespace Audit;

/// <summary>An entry whose place, chain and digest were checked. Valid during the call that it is given to.</summary>
internal readonly ref struct ArchivedEntry(
    string log, string key, long index, string topic, int partition, long offset, ReadOnlySpan<byte> bytes,
    in Digest digest)
{
    /// <summary>The log's name.</summary>
    public string Log { get; } = log;

    /// <summary>The object that holds it.</summary>
    public string Key { get; } = key;

    /// <summary>Its place in the log, counted from zero.</summary>
    public long Index { get; } = index;

    /// <summary>Where it came from.</summary>
    public string Topic { get; } = topic;

    public int Partition { get; } = partition;

    public long Offset { get; } = offset;

    /// <summary>The event, byte for byte.</summary>
    public ReadOnlySpan<byte> Event { get; } = bytes;

    /// <summary>The log's entry: SHA-256 of the event.</summary>
    public Digest Digest { get; } = digest;

    /// <returns>That this entry is wrong.</returns>
    public Finding Finding(string problem, string detail) => new(Log, Index, Key, problem, detail);
}

/// <summary>Takes the entries of a log in their order.</summary>
/// <exception cref="BrokenEvidenceException">The entry contradicts what came before.</exception>
internal delegate void EntryVisitor(in ArchivedEntry entry);
