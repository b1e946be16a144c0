namespace Voting;

/// <summary>
/// Reservations that all processes share in Redis, with this process's own before them: what is known here to be
/// appended is answered here, and while Redis does not answer the process goes by its own alone. Nobody waits longer
/// for Redis than one call may take, and nobody is refused because of it.
/// </summary>
/// <remarks>
/// Of a pending place Redis is believed, where it says something. An appended one is a fact about the log: whoever
/// knows of it is believed.
/// </remarks>
internal sealed class RedisReservations(InProcessReservations own, RedisPlaces shared) : IReservations
{
    public async ValueTask<HeldReservation?> ReserveAsync(Reservation wanted, CancellationToken cancel)
    {
        if (await own.ReserveAsync(wanted, cancel) is { } held)
            return held.Appended ? held : await SeenByAllAsync(held);

        var (answer, there) = await shared.ReserveAsync(wanted);
        if (answer is not PlaceAnswer.Different) return null;
        Adopt(wanted, there);
        return there;
    }

    public async ValueTask<HeldReservation?> FindAsync(int survey, Key16 voterKey, CancellationToken cancel)
    {
        var held = await own.FindAsync(survey, voterKey, cancel);
        if (held is { Appended: true }) return held;

        var (answer, there) = await shared.FindAsync(survey, voterKey);
        return answer is PlaceAnswer.Done ? there : held;
    }

    public async ValueTask<bool> TakeOverAsync(Reservation found, Reservation wanted, CancellationToken cancel)
    {
        switch (await shared.TakeOverAsync(found, wanted))
        {
            case PlaceAnswer.Done:
                own.Put(wanted, appended: false);
                return true;
            case PlaceAnswer.None:
                return await own.TakeOverAsync(found, wanted, cancel);
            default:
                // The next request takes the place anew, here and there.
                own.Forget(found);
                return false;
        }
    }

    public async ValueTask<bool> JoinAsync(Reservation found, CancellationToken cancel)
    {
        // Here first: the owner gives up here before it gives up there.
        var joined = await own.JoinAsync(found, cancel);
        return await shared.JoinAsync(found) switch
        {
            PlaceAnswer.Done => true,
            PlaceAnswer.Different => false,
            _ => joined,
        };
    }

    public async ValueTask AppendedAsync(Reservation reservation, CancellationToken cancel)
    {
        await own.AppendedAsync(reservation, cancel);
        shared.SendAppended(reservation);
    }

    public async ValueTask ReleaseAsync(Reservation reservation, CancellationToken cancel)
    {
        await own.ReleaseAsync(reservation, cancel);
        if (await own.FindAsync(reservation.Survey, reservation.VoterKey, cancel) is { } kept
            && kept.Reservation == reservation)
        {
            return;
        }

        await shared.ReleaseAsync(reservation);
    }

    /// <summary>Whose place it is that a request of this process has taken: others may know more of it.</summary>
    private async ValueTask<HeldReservation> SeenByAllAsync(HeldReservation held)
    {
        var (answer, there) = await shared.FindAsync(held.Reservation.Survey, held.Reservation.VoterKey);
        if (answer is not PlaceAnswer.Done) return held;
        if (there.Appended || there.Reservation != held.Reservation) Adopt(held.Reservation, there);
        return there;
    }

    /// <summary>Gives up what this process went by for what all go by.</summary>
    private void Adopt(Reservation mine, HeldReservation there)
    {
        if (there.Appended) own.Put(there.Reservation, appended: true);
        else if (there.Reservation != mine) own.Forget(mine);
    }
}
