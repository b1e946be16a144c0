using Voting.Contracts;

namespace Results;

/// <summary>The two questions that this module asks of Voting.</summary>
/// <param name="Survey">See <see cref="ReadPublicSurvey"/>: cheap, from memory.</param>
/// <param name="Tallies">See <see cref="ReadTallies"/>: reads the shards.</param>
internal sealed record VotingReads(
    Func<int, CancellationToken, ValueTask<PublicSurvey?>> Survey,
    Func<int, CancellationToken, ValueTask<IReadOnlyList<PartitionTally>>> Tallies);
