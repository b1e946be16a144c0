using Platform;

namespace Identity;

/// <summary>Ends sessions: their refresh tokens at once, their access tokens everywhere within seconds.</summary>
internal sealed class EndSession(IdentityDatabase database, Revocations revocations, TimeProvider clock)
{
    /// <summary>Ends one session of the voter. A repeat says the same.</summary>
    /// <returns>False when the voter has no such session.</returns>
    /// <exception cref="AppendFailedException">It has ended, but access tokens live on: send it again.</exception>
    /// <exception cref="StaleShardMapException">The shard has moved; nothing was ended.</exception>
    public async Task<bool> EndAsync(byte[] voterId, byte[] sessionId, CancellationToken cancel)
    {
        var ended = await UpdateAsync(voterId, "session_id = $4", sessionId, cancel);
        if (ended.Count == 0) return false;
        await PublishAsync(ended, cancel);
        return true;
    }

    /// <summary>Ends all sessions of the voter.</summary>
    /// <exception cref="AppendFailedException">They have ended, but access tokens live on: send it again.</exception>
    /// <exception cref="StaleShardMapException">The shard has moved; nothing was ended.</exception>
    public async Task EndAllAsync(byte[] voterId, CancellationToken cancel)
    {
        var lately = clock.GetUtcNow() - 2 * VoterTokens.Lifetime;
        await PublishAsync(
            await UpdateAsync(voterId, "(ended_at IS NULL OR ended_at > $4)", lately, cancel), cancel);
    }

    // With those that ended lately: a call that failed after its statement is made good by its repeat.
    private Task PublishAsync(List<(byte[] SessionId, DateTimeOffset At)> ended, CancellationToken cancel) =>
        revocations.PublishAsync(
            ended.Where(session => revocations.Matters(session.At)).Select(session => session.SessionId), cancel);

    private async Task<List<(byte[] SessionId, DateTimeOffset At)>> UpdateAsync(
        byte[] voterId, string which, object parameter, CancellationToken cancel)
    {
        var shard = database.OfBucket(Buckets.Of(voterId));
        await using var command = shard.Command(
            $"""
            WITH place AS (SELECT epoch = $1 AS is_ours FROM $schema$.shard),
            ended AS (
                UPDATE $schema$.sessions SET ended_at = COALESCE(ended_at, $2)
                WHERE voter_id = $3 AND {which} AND (SELECT is_ours FROM place)
                RETURNING session_id, ended_at)
            SELECT is_ours, session_id, ended_at FROM place LEFT JOIN ended ON true
            """,
            shard.Entry.Epoch, clock.GetUtcNow(), voterId, parameter);
        await using var rows = await command.ExecuteReaderAsync(cancel);
        var ended = new List<(byte[], DateTimeOffset)>();
        while (await rows.ReadAsync(cancel))
        {
            if (!rows.GetBoolean(0)) throw new StaleShardMapException(shard);
            if (!await rows.IsDBNullAsync(1, cancel))
                ended.Add((rows.GetFieldValue<byte[]>(1), rows.GetFieldValue<DateTimeOffset>(2)));
        }

        return ended;
    }
}
