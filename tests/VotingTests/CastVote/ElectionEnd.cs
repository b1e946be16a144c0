using Voting;

namespace VotingTests;

/// <summary>An election that is over, held against what was promised while it ran.</summary>
internal sealed class ElectionEnd
{
    private readonly ElectionWorld _world;
    private readonly Dictionary<Key16, (int Voter, int Option)> _ballots = [];

    public ElectionEnd(ElectionWorld world)
    {
        _world = world;
        foreach (var attempt in world.Attempts)
        {
            var (voter, option) = (attempt.Sending.Voter, attempt.Sending.Option);
            _ballots[ElectionWorld.Identity(voter, option).VoteId] = (voter, option);
        }
    }

    /// <summary>Every record of the log, one by one and in order, is what the rows say of it.</summary>
    public void AssertRecordsEndedAsThePlainCountSays()
    {
        for (var partition = 0; partition < ElectionWorld.PartitionCount; partition++)
        {
            var rows = _world.Rows[partition];
            var counted = rows.Ballots.Values.ToDictionary(ballot => ballot.Offset);
            var (first, closed, ends) = (new Dictionary<Key16, Key16>(), false, 0);
            foreach (var record in _world.Log.Partitions[partition])
            {
                var content = VoteRecords.Read(record.Value.Span, ElectionWorld.Mac);
                if (content is not VoteRecord.Submitted { Vote: var vote })
                {
                    closed = true;
                    continue;
                }

                Assert.True(_ballots.ContainsKey(vote.VoteId), "A vote is there that nobody sent.");
                var known = first.TryGetValue(vote.VoterKey, out var stands);
                (OutcomeKind, string?) expected = known && stands == vote.VoteId ? (OutcomeKind.Repeated, null)
                    : closed ? (OutcomeKind.Rejected, "after-close")
                    : known ? (OutcomeKind.Rejected, "duplicate") : (OutcomeKind.Counted, null);
                if (expected.Item1 is OutcomeKind.Counted) first.Add(vote.VoterKey, vote.VoteId);
                (OutcomeKind, string?) actual = counted.ContainsKey(record.Offset) ? (OutcomeKind.Counted, null)
                    : rows.Refused.TryGetValue(record.Offset, out var refused) ? (refused.Kind, refused.Reason)
                    : ((OutcomeKind)0, "no outcome");
                Assert.Equal(expected, actual);
                ends++;
            }

            Assert.Equal(ends, rows.Ballots.Count + rows.Refused.Count);
            Assert.Equal(rows.Ballots.Count, rows.Tallies.Values.Sum(tally => tally.Ballots));
            Assert.Empty(rows.Poison);
        }
    }

    /// <summary>What a voter was told is so.</summary>
    public void AssertAnswersAreTrue()
    {
        foreach (var attempt in _world.Attempts)
        {
            var (voter, option) = (attempt.Sending.Voter, attempt.Sending.Option);
            var stands = Counted(voter);
            switch (attempt.Outcome)
            {
                case CastVoteOutcome.Accepted { Vote: var vote }:
                    AssertPromised(vote, voter, option);
                    break;
                case CastVoteOutcome.Repeated { Vote: var vote }:
                    AssertPromised(vote, voter, option);
                    break;
                case CastVoteOutcome.DuplicateVote { First: var first }:
                    Assert.True(stands is not null, $"{attempt}: told of another vote, and none of theirs is counted.");
                    Assert.NotEqual(ElectionWorld.Identity(voter, option).VoteId, first);
                    break;
                case CastVoteOutcome.NotOpen:
                    Assert.False(WasAcceptedBefore(attempt), $"{attempt}: too late, said of what was accepted.");
                    AssertNotCountedUnlessSentOtherwise(attempt, stands);
                    break;
                case CastVoteOutcome.Overloaded:
                    AssertNotCountedUnlessSentOtherwise(attempt, stands);
                    break;
            }
        }
    }

    /// <summary>Where reservations are kept and shared: every later answer is the first one.</summary>
    public void AssertRepeatsGetTheFirstAnswer()
    {
        foreach (var sending in _world.Attempts.GroupBy(attempt => attempt.Sending.Voter))
        {
            var answers = sending.Select(attempt => attempt.Outcome).Select(outcome =>
                (outcome as CastVoteOutcome.Accepted)?.Vote ?? (outcome as CastVoteOutcome.Repeated)?.Vote)
                .OfType<AcceptedVote>().Distinct().ToArray();
            Assert.True(answers.Length <= 1, $"Different answers to one voter: {string.Join("; ", (object[])answers)}");
        }
    }

    private void AssertPromised(AcceptedVote vote, int voter, int option)
    {
        Assert.Equal(ElectionWorld.Identity(voter, option).VoteId, vote.VoteId);
        Assert.True(Counted(voter) is not null, $"Voter {voter} was promised {vote} and has no vote in the count.");
        var partition = ElectionWorld.Identity(voter, option).Partition;
        var ends = _world.Rows[partition].Refused.Values.Where(refused => refused.Ballot.Vote.VoteId == vote.VoteId)
            .Select(refused => refused.Reason ?? "repeated").ToList();
        // Its first record decides; it is in the log before the fence, and counted unless another of theirs was first.
        if (Counted(voter) == vote.VoteId) return;
        Assert.Contains("duplicate", ends);
    }

    private bool WasAcceptedBefore(Attempt attempt) => _world.Attempts.Any(other =>
        other.Sending.Voter == attempt.Sending.Voter && other.Sending.Option == attempt.Sending.Option
        && other.Outcome is CastVoteOutcome.Accepted or CastVoteOutcome.Repeated && other.EndedAt <= attempt.BeganAt);

    /// <summary>A refusal is for good: only another attempt can have brought the ballot in.</summary>
    private void AssertNotCountedUnlessSentOtherwise(Attempt attempt, Key16? stands)
    {
        var (voter, option) = (attempt.Sending.Voter, attempt.Sending.Option);
        var allRefused = _world.Attempts.Where(other => (other.Sending.Voter, other.Sending.Option) == (voter, option))
            .All(other => other.Outcome is CastVoteOutcome.NotOpen or CastVoteOutcome.Overloaded
                or CastVoteOutcome.NoSuchSurvey or CastVoteOutcome.DuplicateVote);
        if (allRefused) Assert.NotEqual(ElectionWorld.Identity(voter, option).VoteId, stands);
    }

    private Key16? Counted(int voter)
    {
        var identity = ElectionWorld.Identity(voter, 1);
        return _world.Rows[identity.Partition].Ballots.TryGetValue(
            (ElectionWorld.SurveyId, identity.VoterKey), out var ballot) ? ballot.Vote.VoteId : null;
    }
}
