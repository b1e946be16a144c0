using Mediator;

namespace Voting.Contracts;

/// <summary>A survey's final result as it is stored: what everybody is shown.</summary>
/// <param name="Survey">The survey's id.</param>
/// <param name="Statement">The signed result; null where somebody has left none.</param>
/// <param name="Version">Of the result; null as above.</param>
/// <param name="Ballots">How many were counted; null as above.</param>
/// <param name="Votes">JSON: votes by option; null as above.</param>
/// <param name="FinalAt">When it was signed; null also where that is of no year from 1 to 9999.</param>
public sealed record RecordedResult(
    int Survey, string? Statement, long? Version, long? Ballots, string? Votes, DateTimeOffset? FinalAt);

/// <summary>Reads stored final results by survey, in the order of their ids.</summary>
/// <param name="From">The first survey's id.</param>
/// <param name="To">The last survey's id.</param>
/// <param name="CountMax">Most results that are read.</param>
public sealed record ReadRecordedResults(int From, int To, int CountMax) : IQuery<IReadOnlyList<RecordedResult>>;
