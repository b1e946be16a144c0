namespace Voting;

/// <summary>What an accepted vote's caller is told.</summary>
internal sealed record AcceptedVote(Key16 VoteId, int Survey, DateTimeOffset AcceptedAt, string Receipt);

/// <summary>Every way a ballot can end at the door. Whoever adds a case answers for it in the endpoint.</summary>
internal abstract record CastVoteOutcome
{
    private CastVoteOutcome() { }

    internal sealed record Accepted(AcceptedVote Vote) : CastVoteOutcome;

    internal sealed record Repeated(AcceptedVote Vote) : CastVoteOutcome;

    internal sealed record NoSuchSurvey : CastVoteOutcome;

    internal sealed record InvalidBallot(IReadOnlyDictionary<string, string[]> Errors) : CastVoteOutcome;

    internal sealed record NotOpen : CastVoteOutcome;

    internal sealed record NotEligible : CastVoteOutcome;

    internal sealed record DuplicateVote(Key16 First) : CastVoteOutcome;

    internal sealed record IdempotencyKeyReused : CastVoteOutcome;

    internal sealed record Overloaded : CastVoteOutcome;

    internal sealed record Unknown : CastVoteOutcome;
}
