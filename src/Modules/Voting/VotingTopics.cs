using System.Text;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>The module's topics.</summary>
internal static class VotingTopics
{
    public const string Votes = VoteTopics.Votes;
    public const string Outcomes = VoteTopics.Outcomes;

    public static IEnumerable<Topic> All(int votePartitions) =>
    [
        new(Votes, votePartitions),
        new(Outcomes, votePartitions),
        // The shards' rows hold the same: an hour is for readers that tail it.
        new(PartitionTally.Topic, 4, TimeSpan.FromHours(1), Compacted: true),
    ];

    public static byte[] TallyKey(PartitionTally tally) => Encoding.ASCII.GetBytes($"{tally.Survey}/{tally.Partition}");
}
