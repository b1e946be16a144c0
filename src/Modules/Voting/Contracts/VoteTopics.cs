namespace Voting.Contracts;

/// <summary>
/// Topics of the event log that hold every ballot and what became of it. Both have the same partitions; nothing in them
/// is deleted by age.
/// </summary>
public static class VoteTopics
{
    /// <summary>Ballots as they were accepted, fences, and what operators had counted after all.</summary>
    public const string Votes = "votes";

    /// <summary>Of each record in the same partition of <see cref="Votes"/>, what became of it.</summary>
    public const string Outcomes = "vote-outcomes";
}
