namespace Voting;

/// <summary>
/// Where surveys were fenced off and how far counting has come: the shards' rows in production, a simulator's in tests
/// of the decisions.
/// </summary>
internal interface IFences
{
    /// <returns>Offset of the survey's fence in the partition, or null while none is counted there.</returns>
    Task<long?> FindAsync(int survey, int partition, CancellationToken cancel);

    /// <returns>The first offset of the partition that is not counted yet.</returns>
    Task<long> NextOffsetAsync(int partition, CancellationToken cancel);
}
