using Voting.Contracts;

namespace Voting;

/// <summary>
/// Where counted ballots lie. PostgreSQL in production; a simulator stands in for it in tests of the decisions.
/// </summary>
internal interface IBallotStore
{
    /// <returns>Where counting of the partition stands.</returns>
    Task<PartitionState> LoadAsync(int partition, CancellationToken cancel);

    /// <summary>Begins a batch: locks the partition's position.</summary>
    /// <param name="partition">Which.</param>
    /// <param name="expected">Where the caller believes that counting stands.</param>
    /// <param name="next">The offset at which it will stand after the batch.</param>
    /// <param name="cancel">Ends the attempt; nothing is changed.</param>
    /// <returns>
    /// Null when counting stands elsewhere: another worker has been here, or tallies were corrected. Then nothing is
    /// changed.
    /// </returns>
    Task<IBallotBatch?> BeginAsync(int partition, CountPlace expected, long next, CancellationToken cancel);

    /// <returns>The stored outcomes of records from <paramref name="from"/> up to, and
    /// without, <paramref name="to"/>.</returns>
    Task<IReadOnlyList<Outcome>> OutcomesAsync(int partition, long from, long to, CancellationToken cancel);
}

/// <summary>One batch: all of it becomes durable, or nothing. Disposing it without completing undoes it.</summary>
internal interface IBallotBatch : IAsyncDisposable
{
    /// <summary>Settles records that were set aside by their replays: each by the first one that comes.</summary>
    /// <param name="replays">Offsets of the records that were set aside, and of their replays.</param>
    /// <param name="decidedAt">When.</param>
    /// <returns>
    /// By the offset of each record that was set aside, the replay that settled it; null where an operator did.
    /// </returns>
    Task<IReadOnlyDictionary<long, long?>> SettleAsync(
        IReadOnlyList<(long Poison, long Replay)> replays, DateTimeOffset decidedAt);

    /// <returns>For each ballot, in the order given, whether it was stored: false when
    /// the voter has a vote already.</returns>
    Task<bool[]> InsertAsync(IReadOnlyList<CountedBallot> ballots);

    /// <returns>The vote that is stored for each of the voters who have one, and the offset of its record.</returns>
    Task<IReadOnlyDictionary<(int Survey, Key16 VoterKey), (Key16 VoteId, long Offset)>> FindAsync(
        IReadOnlyCollection<(int Survey, Key16 VoterKey)> voters);

    /// <summary>Stores the rest and makes it all durable. Cannot be cancelled: half a commit is not knowable.</summary>
    Task CompleteAsync(BatchRest rest);
}

/// <summary>What a worker must know right before it may write.</summary>
/// <param name="NextOffset">First record that is not counted.</param>
/// <param name="Recounts">How often the partition's tallies were corrected by a recount of its rows.</param>
internal readonly record struct CountPlace(long NextOffset, long Recounts);

/// <summary>Where counting of a partition stands.</summary>
/// <param name="Place">What the next batch begins from.</param>
/// <param name="LastOutcome">Offset of the newest record that has an outcome, or -1.</param>
/// <param name="Fences">First fence by survey.</param>
/// <param name="Tallies">By survey.</param>
internal sealed record PartitionState(
    CountPlace Place, long LastOutcome, Dictionary<int, long> Fences, Dictionary<int, PartitionTally> Tallies)
{
    public long NextOffset => Place.NextOffset;
}

/// <summary>A ballot as it is stored.</summary>
/// <param name="Entry">SHA-256 of the event's bytes.</param>
/// <param name="Receipt">The receipt's signature, as the record's header carried it; empty when it had none.</param>
/// <param name="Idempotency">What is kept of the idempotency key, or null.</param>
internal sealed record CountedBallot(
    long Offset, VoteSubmitted Vote, DateTimeOffset DecidedAt, byte[] Entry, ReadOnlyMemory<byte> Receipt,
    ReadOnlyMemory<byte>? Idempotency);

/// <summary>A submitted vote that is not in the result.</summary>
internal sealed record RefusedVote(CountedBallot Ballot, OutcomeKind Kind, string? Reason);

/// <summary>A record that cannot be counted because it cannot be read.</summary>
internal sealed record PoisonRecord(long Offset, ReadOnlyMemory<byte> Bytes, string Reason);

/// <summary>What a batch stores besides its counted ballots.</summary>
internal sealed record BatchRest(
    IReadOnlyList<RefusedVote> Refused, IReadOnlyList<PoisonRecord> Poison,
    IReadOnlyList<(int Survey, long Offset)> Fences, IReadOnlyList<PartitionTally> Tallies, DateTimeOffset DecidedAt);
