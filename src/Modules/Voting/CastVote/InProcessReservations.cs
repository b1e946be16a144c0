using System.Collections.Concurrent;

namespace Voting;

/// <summary>
/// Reservations of this process alone: all there are in installations of one api process, and what the others go by
/// while Redis does not answer. Lost when the process ends.
/// </summary>
/// <param name="countMax">Most that are kept; then the oldest go, and the shards' rows answer for them.</param>
/// <param name="clock">Ages are measured by its timestamps.</param>
internal sealed class InProcessReservations(int countMax, TimeProvider clock) : IReservations
{
    private readonly ConcurrentDictionary<(int Survey, Key16 VoterKey), Held> _held = new();
    private readonly ConcurrentQueue<(int Survey, Key16 VoterKey)> _oldest = new();
    private int _count;

    public ValueTask<HeldReservation?> ReserveAsync(Reservation wanted, CancellationToken cancel)
    {
        var mine = new Held(wanted, false, clock.GetTimestamp());
        return new(Add(mine) is { } there ? Show(there) : null);
    }

    /// <summary>Notes what somebody else is known to hold, in the place of whatever is there.</summary>
    public void Put(Reservation reservation, bool appended)
    {
        var held = new Held(reservation, appended, clock.GetTimestamp());
        while (Add(held) is { } there && !_held.TryUpdate((reservation.Survey, reservation.VoterKey), held, there)) { }
    }

    /// <summary>Drops a pending reservation that others are known not to go by, joined or not.</summary>
    public void Forget(Reservation reservation)
    {
        var key = (reservation.Survey, reservation.VoterKey);
        if (_held.TryGetValue(key, out var there) && !there.Appended && there.Reservation == reservation)
            _held.TryRemove(new(key, there));
    }

    public ValueTask<HeldReservation?> FindAsync(int survey, Key16 voterKey, CancellationToken cancel) =>
        new(_held.TryGetValue((survey, voterKey), out var there) ? Show(there) : null);

    public ValueTask<bool> TakeOverAsync(Reservation found, Reservation wanted, CancellationToken cancel)
    {
        var key = (wanted.Survey, wanted.VoterKey);
        return new(_held.TryGetValue(key, out var there) && !there.Appended && there.Reservation == found
            && _held.TryUpdate(key, new(wanted, false, clock.GetTimestamp()), there));
    }

    public ValueTask<bool> JoinAsync(Reservation found, CancellationToken cancel)
    {
        var key = (found.Survey, found.VoterKey);
        while (_held.TryGetValue(key, out var there) && there.Reservation == found)
        {
            if (there.Appended) return new(true);
            if (_held.TryUpdate(key, there with { Joined = true, TakenAt = clock.GetTimestamp() }, there))
                return new(true);
        }

        return new(false);
    }

    public ValueTask AppendedAsync(Reservation reservation, CancellationToken cancel)
    {
        // A place that was evicted meanwhile stays empty: the row answers.
        var key = (reservation.Survey, reservation.VoterKey);
        while (_held.TryGetValue(key, out var there)
            && !_held.TryUpdate(key, new(reservation, true, there.TakenAt), there)) { }
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(Reservation reservation, CancellationToken cancel)
    {
        var key = (reservation.Survey, reservation.VoterKey);
        if (_held.TryGetValue(key, out var there) && !there.Appended && !there.Joined
            && there.Reservation == reservation)
        {
            _held.TryRemove(new(key, there));
        }

        return ValueTask.CompletedTask;
    }

    /// <returns>Who has the place; null when it was free.</returns>
    private Held? Add(Held mine)
    {
        var key = (mine.Reservation.Survey, mine.Reservation.VoterKey);
        var there = _held.GetOrAdd(key, mine);
        if (!ReferenceEquals(there, mine)) return there;
        _oldest.Enqueue(key);
        // The queue's own count takes a lock.
        if (Interlocked.Increment(ref _count) > countMax && _oldest.TryDequeue(out var oldest))
        {
            Interlocked.Decrement(ref _count);
            _held.TryRemove(oldest, out _);
        }

        return null;
    }

    private HeldReservation Show(Held held) => new(held.Reservation, held.Appended, clock.GetElapsedTime(held.TakenAt));

    private sealed record Held(Reservation Reservation, bool Appended, long TakenAt, bool Joined = false);
}
