using System.Text;
using Audit;

namespace AuditTests;

/// <summary>
/// Whoever holds every key may sign whatever they like: what does not follow from the votes is found all the same.
/// </summary>
public sealed class DishonestPlatformTests
{
    private const string Votes = "votes-00";

    private static readonly Dictionary<string, (string Problem, string Log, Action<Election> Tell)> Lying = new()
    {
        ["a voter counted twice in a partition"] = (Problems.CountedTwice, Votes, one => CountTwice(one, 0)),
        ["a voter counted in two partitions"] = (Problems.CountedTwice, "votes-01", one => CountTwice(one, 1)),
        ["counted behind the fence"] = (Problems.Fence, Votes, one => First(one).Count(First(one).Submit(50, 101))),
        ["refused as late without a fence"] = (Problems.Fence, Votes,
            one => Other(one, (votes, vote) => votes.Reject(vote, "after-close"))),
        ["refused as invalid and fits"] = (Problems.Ballot, Votes,
            one => Other(one, (votes, vote) => votes.Reject(vote, "invalid"))),
        ["refused by a review that never was"] = (Problems.Outcome, Votes,
            one => Other(one, (votes, vote) => votes.Reject(vote, "review"))),
        ["refused as a review expired that never was"] = (Problems.Outcome, Votes,
            one => Other(one, (votes, vote) => votes.Reject(vote, "review-expired"))),
        ["counted with an option twice"] = (Problems.Ballot, Votes,
            one => Other(one, (votes, vote) => votes.Count(vote), [101, 101])),
        ["counted with an option of no question"] = (Problems.Ballot, Votes,
            one => Other(one, (votes, vote) => votes.Count(vote), [104])),
        ["a duplicate of nothing"] = (Problems.Outcome, Votes,
            one => First(one).Reject(First(one).Submit(50, 101), "duplicate")),
        ["a repeat of nothing"] = (Problems.Outcome, Votes, one => First(one).Repeat(First(one).Submit(50, 101))),
        ["a duplicate that is a repeat"] = (Problems.Outcome, Votes,
            one => First(one).Reject(First(one).Submit(1, 101, 102), "duplicate")),
        ["a repeat that is a duplicate"] = (Problems.Outcome, Votes,
            one => First(one).Repeat(First(one).Submit(1, 103))),
        ["a replay of what was decided"] = (Problems.Outcome, Votes, one => First(one).Count(First(one).Replay(0))),
        ["a record left out"] = (Problems.Outcome, Votes, one => First(one).Votes.RemoveAt(2)),
        ["another vote's outcome"] = (Problems.Outcome, Votes,
            one => First(one).Say("rejected", First(one).Submit(50, 101), "invalid", like: 0)),
        ["no outcome at all"] = (Problems.Outcome, Votes, one => First(one).Outcomes.Add("{}"u8.ToArray())),
        ["said again otherwise"] = (Problems.Outcome, Votes, one => First(one).Outcomes.Add(Altered(one, 0))),
        ["said otherwise"] = (Problems.Outcome, Votes, one => First(one).Outcomes[1] = Altered(one, 1)),
        ["an outcome left out"] = (Problems.OutcomeChain, Votes, one => First(one).Outcomes.RemoveAt(3)),
        ["an outcome behind another one"] = (Problems.OutcomeChain, Votes,
            one => First(one).Say("repeated", First(one).Submit(1, 101, 102), previous: 0)),
        ["set aside and never settled"] = (Problems.Undecided, Votes, one => one.Events.RemoveAt(1)),
        ["final without outcomes"] = (Problems.Undecided, Votes,
            one => First(one).Outcomes.RemoveRange(3, First(one).Outcomes.Count - 3)),
    };

    public static TheoryData<string> Lies => [.. Lying.Keys];

    [Theory, MemberData(nameof(Lies))]
    public async Task A_lie_about_votes_is_found_and_named(string lie)
    {
        var (problem, log, tell) = Lying[lie];
        using var archive = await ArchivedElection.SealAsync(Election.Whole(afterEnd: tell));

        var first = (await archive.VerifyAsync()).Findings[0];

        Assert.Equal((problem, log), (first.Problem, first.Log));
        Assert.NotNull(first.Index);
        Assert.StartsWith($"votes/{log}/checkpoint_", first.Key, StringComparison.Ordinal);
    }

    private static readonly Dictionary<string, Action<Election>> Signing = new()
    {
        ["ballots"] = one => one.Finish(7, moreBallots: 1),
        ["option 101"] = one => one.Finish(7, votes: "\"101\":1,\"102\":6,\"103\":2"),
        ["leaves out option 103"] = one => one.Finish(7, votes: "\"101\":12,\"102\":6"),
        ["an option 104"] = one => one.Finish(7, votes: "\"101\":12,\"102\":6,\"103\":2,\"104\":0"),
        ["something else"] = one => one.Finish(7, signed: """
            {"survey_id":"7","status":"final","version":99,"total_responses":14,"votes":{"101":12,"102":5,"103":2}}
            """),
        ["cannot be read"] = one => one.Finish(7, signed: "{}"),
    };

    public static TheoryData<string> Results => [.. Signing.Keys];

    [Theory, MemberData(nameof(Results))]
    public async Task A_result_that_is_not_what_was_counted_is_found(string says)
    {
        var election = Election.Whole();
        election.Events.RemoveAt(election.Events.Count - 1);
        Signing[says](election);
        using var archive = await ArchivedElection.SealAsync(election, isStated: false);

        var finding = Assert.Single((await archive.VerifyAsync()).Findings);

        Assert.Equal((Problems.FinalResult, "events", 5L), (finding.Problem, finding.Log, finding.Index));
        Assert.Contains(says, finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_result_is_found()
    {
        using var archive = await ArchivedElection.SealAsync(
            Election.Whole(afterEnd: one => one.Finish(7, moreBallots: 1)));

        Assert.Equal((Problems.FinalResult, "events", 6L), Place(await archive.VerifyAsync()));
    }

    [Theory]
    [InlineData(1, Problems.Fence)]
    [InlineData(-1, Problems.Fence)]
    [InlineData(100, Problems.Undecided)]
    public async Task A_result_up_to_another_fence_is_found(long moreFence, string problem)
    {
        var election = Election.Whole();
        election.Events.RemoveAt(election.Events.Count - 1);
        election.Finish(7, moreFence: moreFence);
        using var archive = await ArchivedElection.SealAsync(election);

        var (found, log, _) = Place(await archive.VerifyAsync());
        Assert.Equal((problem, Votes), (found, log));
    }

    [Fact]
    public async Task A_result_by_a_key_that_nobody_knows_is_found()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());

        var report = await archive.VerifyAsync(jwks: """{"keys":[]}"""u8.ToArray());

        Assert.Equal((Problems.FinalResult, "events", 5L), Place(report));
    }

    private static (string Problem, string Log, long? Index) Place(VerificationReport report) =>
        report.Findings[0] is var first ? (first.Problem, first.Log, first.Index) : default;

    private static Partition First(Election election) => election.Partitions[0];

    /// <summary>Two votes of a voter in another survey, of which one may lie in the other partition.</summary>
    private static void CountTwice(Election election, int partition)
    {
        var second = election.Partitions[partition];
        election.Publish(8);
        First(election).Count(First(election).Submit(8, 60, 0, [101]));
        second.Count(second.Submit(8, 60, partition, [103]));
    }

    /// <summary>A vote in another survey, which is open.</summary>
    private static void Other(Election election, Action<Partition, long> decide, params int[] options)
    {
        election.Publish(8);
        decide(First(election), First(election).Submit(8, 60, 0, options.Length > 0 ? options : [101]));
    }

    private static byte[] Altered(Election election, int outcome) => Encoding.UTF8.GetBytes(
        Encoding.UTF8.GetString(First(election).Outcomes[outcome])
            .Replace("vote.counted", "vote.repeated", StringComparison.Ordinal));
}
