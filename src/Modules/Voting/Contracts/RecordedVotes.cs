using Mediator;

namespace Voting.Contracts;

/// <summary>What counting stored of a record of <c>votes</c>.</summary>
public enum RecordedAs
{
    /// <summary>It is in the result.</summary>
    Counted = 1,

    /// <summary>It waits for a reviewer.</summary>
    Held = 2,

    /// <summary>It will never be in the result.</summary>
    Rejected = 3,

    /// <summary>The same vote stands at an earlier offset.</summary>
    Repeated = 4,

    /// <summary>It could not be decoded, or carries no MAC of ours.</summary>
    SetAside = 5,
}

/// <summary>One row.</summary>
/// <param name="Offset">Of the record in its partition of <c>votes</c>.</param>
/// <param name="As">Which kind of row it is.</param>
/// <param name="Reason">Why the vote was rejected; else null.</param>
/// <param name="Survey">The survey's id; 0 where it was set aside.</param>
/// <param name="VoterKey">16 bytes; none where it was set aside.</param>
/// <param name="VoteId">16 bytes; none where it was set aside.</param>
/// <param name="Entry">SHA-256 of the event, as it was stored; where it was set aside, of the bytes that are.</param>
/// <param name="AcceptedAt">When the vote was accepted; null where it was set aside.</param>
/// <param name="DecidedAt">When it was counted or refused; null where it was set aside.</param>
/// <param name="Options">The chosen options of a counted vote, as they are stored; else null.</param>
/// <param name="Texts">The free texts of a counted vote: JSON, by question; null where it has none.</param>
public sealed record RecordedVote(
    long Offset, RecordedAs As, string? Reason, int Survey, ReadOnlyMemory<byte> VoterKey, ReadOnlyMemory<byte> VoteId,
    ReadOnlyMemory<byte> Entry, DateTimeOffset? AcceptedAt, DateTimeOffset? DecidedAt, IReadOnlyList<int>? Options,
    string? Texts);

/// <summary>Rows of a partition, of one moment.</summary>
/// <param name="NextOffset">Everything below is counted.</param>
/// <param name="Votes">In no order; two rows of one offset are possible where somebody wrote one by hand.</param>
public sealed record RecordedVotes(long NextOffset, IReadOnlyList<RecordedVote> Votes);

/// <summary>Reads the rows of some records of a partition: by an index, whatever the shard holds.</summary>
/// <param name="Partition">Which, of <c>votes</c>.</param>
/// <param name="From">The first offset; <see cref="long.MinValue"/> finds also what no record can have.</param>
/// <param name="To">The first offset behind.</param>
public sealed record ReadRecordedVotes(int Partition, long From, long To) : IQuery<RecordedVotes>;

/// <summary>A row at a place where counting cannot have put one.</summary>
public sealed record StrayVote(int Partition, long Offset, int Survey);

/// <summary>Tallies of a partition, of one moment.</summary>
/// <param name="NextOffset">Everything below is counted.</param>
/// <param name="Tallies">As they are stored.</param>
/// <param name="Since">
/// What the rows from some offset on add to them; null when that would be too many rows to look at.
/// </param>
/// <param name="Strays">
/// Rows that are not below <paramref name="NextOffset"/>, or of a partition that the shard does not hold; the first
/// hundred.
/// </param>
public sealed record PartitionTallies(
    long NextOffset, IReadOnlyList<PartitionTally> Tallies, IReadOnlyList<PartitionTally>? Since,
    IReadOnlyList<StrayVote> Strays);

/// <summary>
/// Reads the tallies of a partition of <c>votes</c>, and what rows from an offset on add to them: the difference is
/// what the tallies were at that offset.
/// </summary>
/// <param name="Partition">Which.</param>
/// <param name="From">The offset.</param>
/// <param name="CountMax">Most records behind it that are looked at.</param>
public sealed record ReadPartitionTallies(int Partition, long From, int CountMax) : IQuery<PartitionTallies>;
