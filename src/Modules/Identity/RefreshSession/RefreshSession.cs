using Microsoft.Extensions.Options;
using Npgsql;
using Platform;

namespace Identity;

/// <summary>Every way a refresh can end.</summary>
internal abstract record RefreshOutcome
{
    private RefreshOutcome() { }

    /// <summary>The session goes on, with the generation's tokens.</summary>
    internal sealed record Refreshed(Session Session) : RefreshOutcome;

    /// <summary>The token opens nothing: not ours, of a session that is over, or of another device.</summary>
    internal sealed record Refused : RefreshOutcome;

    /// <summary>The token had been used before: somebody else has it, so the session was ended.</summary>
    internal sealed record Reused(byte[] SessionId) : RefreshOutcome;

    /// <summary>The session has ended before; whoever ended it may not have come to say so to all.</summary>
    internal sealed record Ended(byte[] SessionId, DateTimeOffset At) : RefreshOutcome;
}

/// <summary>Exchanges a refresh token for the next one.</summary>
internal sealed class RefreshSession(
    IdentityDatabase database, KeyRing keys, IOptions<IdentityOptions> options, TimeProvider clock)
{
    /// <summary>However many send the same token at once: the session moves on by one generation.</summary>
    /// <exception cref="StaleShardMapException">The shard has moved; nothing has changed.</exception>
    public async Task<RefreshOutcome> HandleAsync(string token, string? device, CancellationToken cancel)
    {
        if (!RefreshToken.TryRead(keys, token, out var sessionId, out var generation))
            return new RefreshOutcome.Refused();

        var shard = database.OfBucket(Buckets.Of(sessionId));
        if (await RotateAsync(shard, sessionId, generation, device, cancel) is { } session)
            return new RefreshOutcome.Refreshed(session);

        if (await FindAsync(shard, sessionId, device, cancel) is not { } found) return new RefreshOutcome.Refused();
        if (found.EndedAt is { } endedAt) return new RefreshOutcome.Ended(sessionId, endedAt);
        var now = clock.GetUtcNow();
        var isOver = found.ExpiresAt <= now || found.RotatedAt <= now - options.Value.SessionIdle;
        if (isOver || generation > found.Session.Generation) return new RefreshOutcome.Refused();
        if (generation == found.Session.Generation)
            return found.IsDevice ? throw new StaleShardMapException(shard) : new RefreshOutcome.Refused();

        // The answer to the last refresh may not have arrived: whoever asks again at once gets the same token again.
        if (generation == found.Session.Generation - 1 && now <= found.RotatedAt + options.Value.RefreshRetry)
            return found.IsDevice ? new RefreshOutcome.Refreshed(found.Session) : new RefreshOutcome.Refused();

        await EndAsync(shard, sessionId, now, cancel);
        return new RefreshOutcome.Reused(sessionId);
    }

    private async Task<Session?> RotateAsync(
        ModuleShard shard, byte[] sessionId, int generation, string? device, CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        await using var command = shard.Command(
            """
            UPDATE $schema$.sessions AS session
            SET generation = generation + 1, rotated_at = $1
            WHERE session_id = $2 AND generation = $3 AND ended_at IS NULL AND expires_at > $1 AND rotated_at > $4
                AND (device IS NULL OR device = $5)
                AND EXISTS (SELECT FROM $schema$.shard WHERE epoch = $6)
            RETURNING voter_id, device, generation,
                (SELECT verified FROM $schema$.voters AS voter WHERE voter.voter_id = session.voter_id)
            """,
            now, sessionId, generation, now - options.Value.SessionIdle, device, shard.Entry.Epoch);
        await using var row = await command.ExecuteReaderAsync(cancel);
        return await row.ReadAsync(cancel) ? await ReadAsync(sessionId, row, cancel) : null;
    }

    private static async Task<Found?> FindAsync(
        ModuleShard shard, byte[] sessionId, string? device, CancellationToken cancel)
    {
        await using var command = shard.Command(
            """
            SELECT voter_id, device, generation, verified, rotated_at, expires_at, ended_at,
                device IS NULL OR device IS NOT DISTINCT FROM $2
            FROM $schema$.sessions JOIN $schema$.voters USING (voter_id)
            WHERE session_id = $1
            """,
            sessionId, device);
        await using var row = await command.ExecuteReaderAsync(cancel);
        if (!await row.ReadAsync(cancel)) return null;
        return new(
            await ReadAsync(sessionId, row, cancel),
            row.GetFieldValue<DateTimeOffset>(4), row.GetFieldValue<DateTimeOffset>(5),
            await row.IsDBNullAsync(6, cancel) ? null : row.GetFieldValue<DateTimeOffset>(6), row.GetBoolean(7));
    }

    private static async Task EndAsync(
        ModuleShard shard, byte[] sessionId, DateTimeOffset now, CancellationToken cancel)
    {
        await using var command = shard.Command(
            """
            WITH place AS (SELECT epoch = $3 AS is_ours FROM $schema$.shard),
            ended AS (
                UPDATE $schema$.sessions SET ended_at = $1
                WHERE session_id = $2 AND ended_at IS NULL AND (SELECT is_ours FROM place))
            SELECT is_ours FROM place
            """,
            now, sessionId, shard.Entry.Epoch);
        // Unless refused, it has ended: by this statement, or by whoever was faster.
        if (await command.ExecuteScalarAsync(cancel) is not true) throw new StaleShardMapException(shard);
    }

    // Both statements begin with the same columns.
    private static async Task<Session> ReadAsync(byte[] sessionId, NpgsqlDataReader row, CancellationToken cancel) =>
        new(sessionId, row.GetFieldValue<byte[]>(0), await row.IsDBNullAsync(1, cancel) ? null : row.GetString(1),
            row.GetInt32(2), row.GetBoolean(3));

    private sealed record Found(
        Session Session, DateTimeOffset RotatedAt, DateTimeOffset ExpiresAt, DateTimeOffset? EndedAt, bool IsDevice);
}
