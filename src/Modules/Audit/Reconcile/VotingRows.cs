using Voting.Contracts;

namespace Audit;

/// <summary>What the voting module says of its rows.</summary>
/// <param name="Votes">See <see cref="ReadRecordedVotes"/>.</param>
/// <param name="Tallies">See <see cref="ReadPartitionTallies"/>.</param>
/// <param name="Results">See <see cref="ReadRecordedResults"/>.</param>
internal sealed record VotingRows(
    Func<ReadRecordedVotes, CancellationToken, ValueTask<RecordedVotes>> Votes,
    Func<ReadPartitionTallies, CancellationToken, ValueTask<PartitionTallies>> Tallies,
    Func<ReadRecordedResults, CancellationToken, ValueTask<IReadOnlyList<RecordedResult>>> Results);
