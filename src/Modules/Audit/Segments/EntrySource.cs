namespace Audit;

/// <summary>Where entries of a log come from, in the order of their offsets.</summary>
/// <param name="Topic">A topic of the event log; in the log of logs, the name of a log.</param>
/// <param name="Partition">The topic's partition. Null for a log, whose offsets are numbers of checkpoints.</param>
internal sealed record EntrySource(string Topic, int? Partition)
{
    /// <summary>As it stands in checkpoints and tables: <c>votes-7</c>; of a log <c>votes-07</c>.</summary>
    public string Name { get; } = Partition is { } partition ? $"{Topic}-{partition}" : Topic;
}
