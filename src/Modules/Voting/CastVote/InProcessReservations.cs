using System.Collections.Concurrent;

namespace Voting;

/// <summary>Reservations of this process alone, for installations of one api process. Lost when it ends.</summary>
/// <param name="countMax">Most that are kept; then the oldest go, and the shards' rows answer for them.</param>
/// <param name="clock">Ages are measured by its timestamps.</param>
internal sealed class InProcessReservations(int countMax, TimeProvider clock) : IReservations
{
    private readonly ConcurrentDictionary<(int Survey, Key16 VoterKey), Held> _held = new();
    private readonly ConcurrentQueue<(int Survey, Key16 VoterKey)> _oldest = new();

    public ValueTask<HeldReservation?> ReserveAsync(Reservation wanted, CancellationToken cancel)
    {
        var mine = new Held(wanted, false, clock.GetTimestamp());
        var there = _held.GetOrAdd((wanted.Survey, wanted.VoterKey), mine);
        if (!ReferenceEquals(there, mine)) return new(Show(there));

        _oldest.Enqueue((wanted.Survey, wanted.VoterKey));
        while (_oldest.Count > countMax && _oldest.TryDequeue(out var oldest)) _held.TryRemove(oldest, out _);
        return new((HeldReservation?)null);
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
            if (there.Appended || there.Joined) return new(true);
            if (_held.TryUpdate(key, there with { Joined = true }, there)) return new(true);
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

    private HeldReservation Show(Held held) => new(held.Reservation, held.Appended, clock.GetElapsedTime(held.TakenAt));

    private sealed record Held(Reservation Reservation, bool Appended, long TakenAt, bool Joined = false);
}
