namespace Voting;

/// <summary>
/// Counted votes by voter: the shards' rows in production, a simulator's in tests of the decisions. Safe for use by
/// many threads.
/// </summary>
internal interface IKnownVotes
{
    /// <returns>The voter's counted vote, or null.</returns>
    /// <exception cref="TooManyCallsException">Too many lookups wait.</exception>
    Task<Reservation?> FindAsync(int partition, int survey, Key16 voterKey);
}
