using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>A ballot as it came in.</summary>
/// <param name="Caller">Who casts it.</param>
/// <param name="SurveyId">Where.</param>
/// <param name="Answers">As given, not checked yet; option ids may repeat.</param>
/// <param name="IdempotencyKey">1 to 64 visible ASCII characters, or null.</param>
/// <param name="Frozen">
/// What <see cref="CastVote.Freeze"/> made of it, when it finishes a session: its repeats get the first answer for
/// good.
/// </param>
internal sealed record CastRequest(
    VoterCaller Caller, int SurveyId, IReadOnlyList<Answer> Answers, string? IdempotencyKey,
    Reservation? Frozen = null);

/// <summary>
/// Accepts a ballot: reserves the voter's place, appends the ballot, and answers once the log holds it
/// durably. Safe for use by many threads.
/// </summary>
internal sealed class CastVote(
    ISurveyReadings surveys, IReservations reservations, IKnownVotes known, AcceptLease lease, SettledVotes settled,
    Receipts receipts, EventMac mac, IEventLog log, ShardMap map, TimeProvider clock, IOptions<VotingOptions> options)
{
    /// <summary>How long a repeat without the first request's idempotency key gets the first answer.</summary>
    public static readonly TimeSpan RepeatWithoutKey = TimeSpan.FromMinutes(10);

    /// <summary>A pending reservation of another ballot that is older has been left behind by its process.</summary>
    public static readonly TimeSpan PendingAgeMax = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan PendingPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan PendingPatience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Answers only once the outcome of the append is known, or <see cref="VotingOptions.AppendTimeout"/> is over.
    /// </summary>
    /// <remarks>The caller's hanging up ends nothing: a ballot that is on its way is seen through.</remarks>
    public async Task<CastVoteOutcome> HandleAsync(CastRequest request)
    {
        if (surveys.Find(request.SurveyId) is not { } survey) return new CastVoteOutcome.NoSuchSurvey();

        using var timeout = new CancellationTokenSource(options.Value.AppendTimeout, clock);
        try
        {
            return await DecideAsync(request, survey, timeout.Token);
        }
        catch (TooManyCallsException)
        {
            return new CastVoteOutcome.Overloaded();
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return new CastVoteOutcome.Unknown();
        }
    }

    /// <summary>Makes everything of a session's vote that must be the same whenever its finish is repeated.</summary>
    /// <returns>What to store before <see cref="HandleAsync"/> is called with it.</returns>
    public Reservation Freeze(CastRequest request, Survey survey)
    {
        var vote = VoteOf(request, survey);
        return Prepare(vote with { Idempotency = VoteIdentity.SessionOf(survey.Secret, vote.Identity.VoterKey) }, Now())
            .Reservation;
    }

    private async Task<CastVoteOutcome> DecideAsync(CastRequest request, Survey survey, CancellationToken cancel)
    {
        var vote = VoteOf(request, survey);

        // A known vote gets its first answer before rules and state are looked at, so they may only
        // decide what is not known.
        if (await RefusalAsync(request, survey, cancel) is { } refusal)
            return await AnswerKnownAsync(vote, refusal, cancel) ?? refusal;

        var mine = request.Frozen is { } frozen ? Prepare(vote, frozen) : Prepare(vote, Now());
        if (await reservations.ReserveAsync(mine.Reservation, cancel) is { } there)
            return await MeetAsync(vote, mine, there, cancel);

        return await AppendUnlessStoredAsync(vote, mine, cancel);
    }

    private Vote VoteOf(CastRequest request, Survey survey)
    {
        var ballot = new Ballot(request.Answers);
        var identity = VoteIdentity.Of(survey.Secret, request.Caller.BallotSubject, ballot, map.Partitions);
        return new(request, survey, ballot, identity, request.Frozen?.Idempotency ?? (request.IdempotencyKey is { } key
            ? VoteIdentity.OfIdempotencyKey(survey.Secret, key) : null));
    }

    /// <returns>Why the ballot cannot be accepted now, if nothing is known of it; else null.</returns>
    public async ValueTask<CastVoteOutcome?> RefusalAsync(CastRequest request, Survey survey, CancellationToken cancel)
    {
        if (BallotRules.Check(survey, request.Answers) is { } errors) return new CastVoteOutcome.InvalidBallot(errors);
        if (survey.Status is not SurveyStatus.Published) return new CastVoteOutcome.NotOpen();
        if (!await lease.HoldsAsync(survey.Id, cancel))
        {
            return surveys.Find(survey.Id)?.Status is SurveyStatus.Published
                ? new CastVoteOutcome.Overloaded() : new CastVoteOutcome.NotOpen();
        }

        return VoterEligibility.Admits(survey.Eligibility) ? null : new CastVoteOutcome.NotEligible();
    }

    /// <returns>The answer to a vote that was accepted before, or null when none is known.</returns>
    private async Task<CastVoteOutcome?> AnswerKnownAsync(Vote vote, CastVoteOutcome refusal, CancellationToken cancel)
    {
        var there = await reservations.FindAsync(vote.Survey.Id, vote.Identity.VoterKey, cancel);
        if (there is { Appended: true } held) return await RepeatAsync(vote, held.Reservation, cancel);
        if (await StoredAsync(vote, cancel) is { } row) return Repeat(vote, row);
        if (refusal is not CastVoteOutcome.NotOpen) return null;

        // Another process may have accepted it before counting came so far; a frozen vote counts as pending.
        var (isSettled, counted) = await settled.FindAsync(
            vote.Identity.Partition, vote.Survey.Id, vote.Identity.VoterKey,
            mayComeYet: there is not null || vote.Request.Frozen is not null, cancel);
        if (!isSettled) return new CastVoteOutcome.Unknown();
        return counted is null ? null : Repeat(vote, counted);
    }

    private Task<Reservation?> StoredAsync(Vote vote, CancellationToken cancel) =>
        known.FindAsync(vote.Identity.Partition, vote.Survey.Id, vote.Identity.VoterKey).WaitAsync(cancel);

    private async Task<CastVoteOutcome> MeetAsync(
        Vote vote, Prepared mine, HeldReservation there, CancellationToken cancel)
    {
        // Nearly always the other request is about to be acknowledged: then nothing needs to be sent again.
        for (var waited = TimeSpan.Zero; !there.Appended && waited < PendingPatience; waited += PendingPoll)
        {
            await Task.Delay(PendingPoll, clock, cancel);
            if (await reservations.ReserveAsync(mine.Reservation, cancel) is not { } now)
                return await AppendUnlessStoredAsync(vote, mine, cancel);
            there = now;
        }

        if (there.Appended) return await RepeatAsync(vote, there.Reservation, cancel);
        // The same ballot, pending in another request: append the same bytes, and answer by one's own acknowledgement.
        if (IsSame(vote, there.Reservation))
        {
            if (await StoredAsync(vote, cancel) is { } row) return Repeat(vote, row);
            return await reservations.JoinAsync(there.Reservation, cancel)
                ? await AppendAsync(vote, Prepare(vote, there.Reservation), isOwn: false, cancel)
                : new CastVoteOutcome.Unknown();
        }

        // Whoever may still be waiting for an acknowledgement has not left the place behind.
        return there.Age >= PendingAgeMax && there.Age >= options.Value.AppendTimeout
            && await reservations.TakeOverAsync(there.Reservation, mine.Reservation, cancel)
                ? await AppendUnlessStoredAsync(vote, mine, cancel) : new CastVoteOutcome.Unknown();
    }

    /// <summary>The place is ours; but reservations forget, and a row does not.</summary>
    private async Task<CastVoteOutcome> AppendUnlessStoredAsync(Vote vote, Prepared mine, CancellationToken cancel)
    {
        Reservation? row;
        try
        {
            row = await StoredAsync(vote, cancel);
        }
        catch
        {
            await reservations.ReleaseAsync(mine.Reservation, CancellationToken.None);
            throw;
        }

        if (row is null) return await AppendAsync(vote, mine, isOwn: true, cancel);
        await reservations.AppendedAsync(row, cancel);
        return Repeat(vote, row);
    }

    private async Task<CastVoteOutcome> AppendAsync(
        Vote vote, Prepared prepared, bool isOwn, CancellationToken cancel)
    {
        var (reservation, bytes) = prepared;
        long offset;
        try
        {
            offset = await log.AppendAsync(
                new(VotingTopics.Votes, vote.Identity.Partition),
                new LogRecord(reservation.VoterKey.ToBytes(), bytes, Headers(reservation)), cancel);
        }
        catch (AppendFailedException e) when (e.Failure is not AppendFailure.Unknown)
        {
            // Another request's place is not ours to give up: its append may have come through.
            if (isOwn) await reservations.ReleaseAsync(reservation, CancellationToken.None);
            return isOwn ? new CastVoteOutcome.Overloaded() : new CastVoteOutcome.Unknown();
        }
        catch (AppendFailedException)
        {
            // Still pending: the next request with the same ballot appends the same bytes again.
            return new CastVoteOutcome.Unknown();
        }

        var acknowledgedAt = clock.GetTimestamp();
        if (!await lease.WasInTimeAsync(vote.Survey.Id, (vote.Identity.Partition, offset), acknowledgedAt, cancel))
            return new CastVoteOutcome.NotOpen();
        await reservations.AppendedAsync(reservation, CancellationToken.None);
        return new CastVoteOutcome.Accepted(Answer(reservation));
    }

    /// <summary>
    /// What is remembered here may be a ballot that raced another one, accepted elsewhere, and lost: nobody is refused
    /// for it whose vote is the one that counts.
    /// </summary>
    private async Task<CastVoteOutcome> RepeatAsync(Vote vote, Reservation remembered, CancellationToken cancel)
    {
        var answer = Repeat(vote, remembered);
        if (answer is CastVoteOutcome.Repeated) return answer;
        return await StoredAsync(vote, cancel) is { } row ? Repeat(vote, row) : answer;
    }

    private CastVoteOutcome Repeat(Vote vote, Reservation first)
    {
        var sameKey = vote.Idempotency is { } key && first.Idempotency == key;
        if (!IsSame(vote, first))
        {
            return sameKey
                ? new CastVoteOutcome.IdempotencyKeyReused() : new CastVoteOutcome.DuplicateVote(first.VoteId);
        }

        return sameKey || clock.GetUtcNow() - first.AcceptedAt <= RepeatWithoutKey
            ? new CastVoteOutcome.Repeated(Answer(first))
            : new CastVoteOutcome.DuplicateVote(first.VoteId);
    }

    /// <summary>
    /// The same ballot, cast in the same way: of a session and a request, even where they say the same, the first one
    /// stands and the second is told of it, or whoever holds the phone could ask a session what the vote was.
    /// </summary>
    private static bool IsSame(Vote vote, Reservation first) =>
        first.VoteId == vote.Identity.VoteId
        && (vote.Request.Frozen is not null)
            == (first.Idempotency == VoteIdentity.SessionOf(vote.Survey.Secret, vote.Identity.VoterKey));

    private Prepared Prepare(Vote vote, DateTimeOffset acceptedAt)
    {
        var bytes = Bytes(vote, acceptedAt);
        var entry = SHA256.HashData(bytes);
        var receipt = receipts.Sign(vote.Survey.Id, vote.Identity.VoteId, acceptedAt, entry);
        return new(new(vote.Survey.Id, vote.Identity.VoterKey, vote.Identity.VoteId, acceptedAt, entry, receipt,
            vote.Idempotency), bytes);
    }

    private Prepared Prepare(Vote vote, Reservation again) => new(again, Bytes(vote, again.AcceptedAt));

    private byte[] Bytes(Vote vote, DateTimeOffset acceptedAt) => new VoteSubmitted(
        vote.Survey.Id, vote.Identity.VoterKey, vote.Identity.VoteId, vote.Identity.Salt, acceptedAt,
        vote.Ballot.Answers)
        .ToBytes(mac);

    private static LogHeader[] Headers(Reservation reservation) => reservation.Idempotency is { } key
        ? [new(VoteSubmitted.ReceiptHeader, reservation.Receipt), new(VoteSubmitted.IdempotencyHeader, key.ToBytes())]
        : [new(VoteSubmitted.ReceiptHeader, reservation.Receipt)];

    private AcceptedVote Answer(Reservation vote) =>
        new(vote.VoteId, vote.Survey, vote.AcceptedAt, receipts.Compose(vote));

    private DateTimeOffset Now()
    {
        var now = clock.GetUtcNow();
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMillisecond));
    }

    private sealed record Vote(
        CastRequest Request, Survey Survey, Ballot Ballot, VoteIdentity Identity, Key16? Idempotency);

    private sealed record Prepared(Reservation Reservation, byte[] Bytes);
}

/// <summary>Who may vote, as far as the platform knows its voters.</summary>
internal static class VoterEligibility
{
    /// <remarks>
    /// Identity checks do not exist yet: that a voter is verified is taken as given, and nobody's country, age or group
    /// is known, so a survey that asks for one admits nobody.
    /// </remarks>
    public static bool Admits(Eligibility eligibility) =>
        eligibility is { Countries.Count: 0, MinimumAge: null, Group: null };
}
