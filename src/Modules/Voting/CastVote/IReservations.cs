namespace Voting;

/// <summary>
/// A voter's place in a survey, taken before the ballot is appended. Holds what the first answer consists of and what
/// rebuilds the event's bytes from the same ballot.
/// </summary>
/// <param name="VoteId">Equal vote ids are equal ballots.</param>
/// <param name="AcceptedAt">Whole milliseconds.</param>
/// <param name="Entry">SHA-256 of the event's bytes.</param>
/// <param name="Receipt">Signature and key id (<see cref="Receipts"/>).</param>
/// <param name="Idempotency">What is kept of the idempotency key, or null.</param>
internal sealed record Reservation(
    int Survey, Key16 VoterKey, Key16 VoteId, DateTimeOffset AcceptedAt, byte[] Entry, byte[] Receipt,
    Key16? Idempotency)
{
    /// <summary>By value, digests and receipts included: what comes back from elsewhere is the same one.</summary>
    public bool Equals(Reservation? other) => other is not null
        && (Survey, VoterKey, VoteId, AcceptedAt, Idempotency)
            == (other.Survey, other.VoterKey, other.VoteId, other.AcceptedAt, other.Idempotency)
        && Entry.AsSpan().SequenceEqual(other.Entry) && Receipt.AsSpan().SequenceEqual(other.Receipt);

    public override int GetHashCode() => HashCode.Combine(Survey, VoterKey, VoteId);
}

/// <summary>A reservation as it was found.</summary>
/// <param name="Appended">Whether the log has acknowledged the ballot; else it is pending.</param>
/// <param name="Age">Of a pending one, since it was taken, last taken over or last joined.</param>
internal readonly record struct HeldReservation(Reservation Reservation, bool Appended, TimeSpan Age);

/// <summary>
/// Keeps two ballots of one voter from being appended side by side. An optimisation: what it forgets, the shard's
/// primary key still knows. Safe for use by many threads.
/// </summary>
internal interface IReservations
{
    /// <summary>Takes the place as pending unless somebody has it.</summary>
    /// <returns>Null when it was taken, else what is there.</returns>
    ValueTask<HeldReservation?> ReserveAsync(Reservation wanted, CancellationToken cancel);

    /// <returns>What is there, or null.</returns>
    ValueTask<HeldReservation?> FindAsync(int survey, Key16 voterKey, CancellationToken cancel);

    /// <summary>Replaces a pending reservation of another ballot.</summary>
    /// <returns>False when it is no longer what was found.</returns>
    ValueTask<bool> TakeOverAsync(Reservation found, Reservation wanted, CancellationToken cancel);

    /// <summary>
    /// Says that another request appends the same ballot under a pending reservation: its owner no longer gives it up,
    /// and it is as young as if it had just been taken.
    /// </summary>
    /// <returns>False when it is no longer what was found.</returns>
    ValueTask<bool> JoinAsync(Reservation found, CancellationToken cancel);

    /// <summary>
    /// Says that the ballot is in the log. Replaces whatever is there: the log is the truth. Other processes hear of it
    /// a moment later, or never: to them the place is pending until then, and the row answers in the end.
    /// </summary>
    ValueTask AppendedAsync(Reservation reservation, CancellationToken cancel);

    /// <summary>
    /// Gives the place up: only when the ballot is certainly not in the log. Does nothing when another request joined.
    /// </summary>
    ValueTask ReleaseAsync(Reservation reservation, CancellationToken cancel);
}
