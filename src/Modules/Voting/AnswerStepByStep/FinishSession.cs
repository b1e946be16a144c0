using Microsoft.Extensions.Options;
using Platform;

namespace Voting;

/// <summary>
/// Finishes a voter's session: freezes its answers with everything of the vote, then casts it. Whatever breaks off in
/// between, the repeated finish goes on with the frozen vote. Safe for use by many threads.
/// </summary>
internal sealed class FinishSession(
    SurveyDirectory surveys, Sessions sessions, CastVote castVote, IKnownVotes known, ShardMap map, TimeProvider clock,
    IOptions<VotingOptions> options)
{
    // Each is lost only to an answer that was added in between: a voter who goes on answering is told to come again.
    private const int AttemptCountMax = 5;

    /// <summary>Answers only once the outcome of the append is known, or the time for it is over.</summary>
    /// <param name="caller">Whose session.</param>
    /// <param name="surveyId">Where.</param>
    /// <param name="sessionId">The session, as given.</param>
    public async Task<FinishOutcome> HandleAsync(VoterCaller caller, int surveyId, string sessionId)
    {
        if (surveys.Find(surveyId) is not { } survey)
            return new FinishOutcome.Refused(new CastVoteOutcome.NoSuchSurvey());
        var (partition, voterKey) = VoteIdentity.VoterOf(survey.Secret, caller.BallotSubject, map.Partitions);
        var own = VoteIdentity.SessionOf(survey.Secret, voterKey);
        if (sessionId != own.ToString()) return new FinishOutcome.NoSuchSession();

        using var timeout = new CancellationTokenSource(options.Value.AppendTimeout, clock);
        try
        {
            return await FinishAsync(caller, survey, new(partition, surveyId, voterKey), own, timeout.Token);
        }
        catch (TooManyCallsException)
        {
            return new FinishOutcome.Refused(new CastVoteOutcome.Overloaded());
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return new FinishOutcome.Refused(new CastVoteOutcome.Overloaded());
        }
    }

    private async Task<FinishOutcome> FinishAsync(
        VoterCaller caller, Survey survey, SessionPlace place, Key16 own, CancellationToken cancel)
    {
        for (var attempt = 0; attempt < AttemptCountMax; attempt++)
        {
            if (await sessions.FindAsync(place).WaitAsync(cancel) is not { } session)
                return new FinishOutcome.NoSuchSession();
            var request = new CastRequest(caller, survey.Id, session.Answers, null);
            if (session.Frozen is { } frozen)
                return await CastAsync(request with { Frozen = frozen with { Idempotency = own } }, place, session);

            // Before anything is frozen: what is refused now stays open, and can be mended.
            if (await castVote.RefusalAsync(request, survey, cancel) is { } refusal)
                return new FinishOutcome.Refused(refusal);
            var vote = castVote.Freeze(request, survey);
            if (await sessions.FreezeAsync(place, session.Revision, vote) is { } mine)
                return await CastAsync(request with { Frozen = mine with { Idempotency = own } }, place, session);
        }

        return new FinishOutcome.Refused(new CastVoteOutcome.Overloaded());
    }

    private async Task<FinishOutcome> CastAsync(CastRequest request, SessionPlace place, Session session)
    {
        // The rows know better than what was found once, when they know: the vote that seemed first may be refused.
        if (session.SupersededBy is { } first)
        {
            var row = await known.FindAsync(place.Partition, place.Survey, place.VoterKey);
            if (row?.Idempotency != request.Frozen!.Idempotency)
                return new FinishOutcome.Refused(new CastVoteOutcome.DuplicateVote(row?.VoteId ?? first));
        }

        var outcome = await castVote.HandleAsync(request);
        switch (outcome)
        {
            case CastVoteOutcome.Accepted { Vote: var vote }:
                return new FinishOutcome.Finished(session.InitializedAt, vote);
            case CastVoteOutcome.Repeated { Vote: var vote }:
                return new FinishOutcome.Finished(session.InitializedAt, vote);
            case CastVoteOutcome.DuplicateVote { First: var other }:
                await sessions.SupersedeAsync(place, other);
                return new FinishOutcome.Refused(outcome);
            default:
                return new FinishOutcome.Refused(outcome);
        }
    }
}

/// <summary>Every way a finish can end. Whoever adds a case answers for it in the endpoint.</summary>
internal abstract record FinishOutcome
{
    private FinishOutcome() { }

    internal sealed record Finished(DateTimeOffset InitializedAt, AcceptedVote Vote) : FinishOutcome;

    internal sealed record NoSuchSession : FinishOutcome;

    /// <summary>For a reason that casting knows as well.</summary>
    internal sealed record Refused(CastVoteOutcome Why) : FinishOutcome;
}
