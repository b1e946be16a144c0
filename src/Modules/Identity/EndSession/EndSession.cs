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
        await revocations.PublishAsync(ended, cancel);
        return true;
    }

    /// <summary>Ends all sessions of the voter.</summary>
    /// <exception cref="AppendFailedException">They have ended, but access tokens live on: send it again.</exception>
    /// <exception cref="StaleShardMapException">The shard has moved; nothing was ended.</exception>
    public async Task EndAllAsync(byte[] voterId, CancellationToken cancel)
    {
        // Those that ended lately are said again: a call that failed after this statement is made good by its repeat.
        var lately = clock.GetUtcNow() - 2 * VoterTokens.Lifetime;
        await revocations.PublishAsync(
            await UpdateAsync(voterId, "(ended_at IS NULL OR ended_at > $4)", lately, cancel), cancel);
    }

    private async Task<List<byte[]>> UpdateAsync(
        byte[] voterId, string which, object parameter, CancellationToken cancel)
    {
        var shard = database.OfBucket(Buckets.Of(voterId));
        await using var command = shard.Command(
            $"""
            WITH place AS (SELECT epoch = $1 AS is_ours FROM $schema$.shard),
            ended AS (
                UPDATE $schema$.sessions SET ended_at = COALESCE(ended_at, $2)
                WHERE voter_id = $3 AND {which} AND (SELECT is_ours FROM place)
                RETURNING session_id)
            SELECT is_ours, session_id FROM place LEFT JOIN ended ON true
            """,
            shard.Entry.Epoch, clock.GetUtcNow(), voterId, parameter);
        await using var rows = await command.ExecuteReaderAsync(cancel);
        var ended = new List<byte[]>();
        while (await rows.ReadAsync(cancel))
        {
            if (!rows.GetBoolean(0)) throw new StaleShardMapException(shard);
            if (!await rows.IsDBNullAsync(1, cancel)) ended.Add(rows.GetFieldValue<byte[]>(1));
        }

        return ended;
    }
}
