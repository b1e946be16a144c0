using Audit;

namespace AuditTests;

/// <summary>One vote a voter, over more votes than are kept in memory.</summary>
public sealed class DecidedVotesTests : IDisposable
{
    // A part of 256 keeps 2,048: all of them go to their files at least once.
    private const int Count = 700_000;

    private readonly string _directory = Directory.CreateTempSubdirectory("decided-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Voters_who_count_twice_are_found_among_many_and_no_file_is_left()
    {
        using (var decided = new DecidedVotes(_directory))
        {
            for (var voter = 0; voter < Count; voter++) decided.Add(Vote(voter, voter, 7));
            // In another survey everybody may vote again.
            for (var voter = 0; voter < 1_000; voter++) decided.Add(Vote(voter, Count + voter, 8));
            decided.Add(Vote(3, 2_000_000, 7));
            decided.Add(Vote(Count - 1, 2_000_001, 7) with { Partition = 5 });
            decided.Add(Vote(Count, 2_000_002, 7) with { Kind = VoteOutcomeKind.Repeated });
            Assert.Equal(256, Directory.GetFiles(_directory).Length);

            var found = decided.Check(TestContext.Current.CancellationToken);

            Assert.Equal(
                [(2_000_000, Problems.CountedTwice), (2_000_002, Problems.Outcome), (2_000_001, Problems.CountedTwice)],
                found.Select(one => (one.Vote.Index, one.Problem)));
        }

        Assert.Empty(Directory.GetFiles(_directory));
    }

    [Fact]
    public void Keys_of_which_halves_are_alike_are_told_apart()
    {
        using var decided = new DecidedVotes(_directory);
        for (var high = 0; high < 100; high++)
        {
            decided.Add(Vote(0, high, 7) with { VoterKey = new((ulong)high, 1) });
        }

        Assert.Empty(decided.Check(TestContext.Current.CancellationToken));
    }

    private static DecidedVote Vote(int voter, long index, int survey)
    {
        var key = System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(voter));
        return new(
            new(BitConverter.ToUInt64(key), BitConverter.ToUInt64(key, 8)), (ulong)voter, index, survey, 0,
            VoteOutcomeKind.Counted, RefusalReason.None, IsReplayedAgain: false);
    }
}
