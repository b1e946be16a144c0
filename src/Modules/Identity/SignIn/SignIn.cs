using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Platform;

namespace Identity;

/// <summary>Finds or makes the voter behind a login, and opens a session.</summary>
internal sealed class SignIn(
    IdentityDatabase database, KeyRing keys, RandomNumberGenerator random, UserEvents events,
    IOptions<IdentityOptions> options, TimeProvider clock)
{
    public const string LoginKeyPurpose = "login-keys";

    /// <summary>Each ID token opens one session; a login always finds the same voter, whatever races.</summary>
    /// <param name="provider">As it stands in addresses.</param>
    /// <param name="login">What its ID token says.</param>
    /// <param name="device">Binds the session, or null.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>
    /// The session. The same once more for the device that it was opened for, a short while, as long as nothing was
    /// done with it: the first answer may have been lost. Null when the ID token was used before otherwise.
    /// </returns>
    /// <exception cref="StaleShardMapException">A shard has moved; no session was opened.</exception>
    public async Task<Session?> OpenSessionAsync(
        string provider, ProvenLogin login, string? device, CancellationToken cancel)
    {
        var voterId = await VoterAsync(LoginKey(provider, login.Subject), cancel);
        return await OpenAsync(voterId, login, device, cancel) ?? await AgainAsync(voterId, login, device, cancel);
    }

    private async Task<byte[]> VoterAsync(byte[] loginKey, CancellationToken cancel)
    {
        var shard = database.OfBucket(Buckets.Of(loginKey));
        if (await FindAsync() is { } known) return known;

        await using (var insert = shard.Command(
            """
            INSERT INTO $schema$.logins (login_key, voter_id, created_at)
            SELECT $1, $2, $3 FROM $schema$.shard WHERE epoch = $4
            ON CONFLICT DO NOTHING
            """,
            loginKey, Draw(), clock.GetUtcNow(), shard.Entry.Epoch))
        {
            await insert.ExecuteNonQueryAsync(cancel);
        }

        // Ours, or that of a sign-in that was faster: what the row says is what counts.
        return await FindAsync() ?? throw new StaleShardMapException(shard);

        async Task<byte[]?> FindAsync()
        {
            await using var query = shard.Command(
                "SELECT voter_id FROM $schema$.logins WHERE login_key = $1", loginKey);
            return (byte[]?)await query.ExecuteScalarAsync(cancel);
        }
    }

    /// <returns>Null when the ID token was used before, or the shard has moved.</returns>
    private async Task<Session?> OpenAsync(
        byte[] voterId, ProvenLogin login, string? device, CancellationToken cancel)
    {
        var shard = database.OfBucket(Buckets.Of(voterId));
        var sessionId = Draw();
        // A session lies where its voter lies, and says so itself.
        voterId.AsSpan(0, 2).CopyTo(sessionId);
        var now = clock.GetUtcNow();
        // Told only where the statement makes the voter.
        var registered = events.Registered(voterId, now);
        // The voter's row may be missing although the login is there: they lie apart, and processes die in between.
        await using var command = shard.Command(
            """
            WITH spent AS (
                INSERT INTO $schema$.spent_id_tokens (digest, session_id, spent_at, expires_at)
                SELECT $8, $3, $5, $9 FROM $schema$.shard WHERE epoch = $1
                ON CONFLICT DO NOTHING RETURNING 1),
            voter AS (
                INSERT INTO $schema$.voters (voter_id, created_at) SELECT $2, $5 FROM spent ON CONFLICT DO NOTHING
                RETURNING 1),
            told AS (
                INSERT INTO $schema$.outbox (aggregate, event, traceparent, tracestate)
                SELECT $10, $11, $12, $13 FROM voter),
            outlived AS (
                DELETE FROM $schema$.sessions
                WHERE voter_id = $2 AND (expires_at < $6 OR ended_at < $6) AND EXISTS (SELECT FROM spent))
            INSERT INTO $schema$.sessions
                (session_id, voter_id, device, generation, created_at, rotated_at, expires_at)
            SELECT $3, $2, $4, 1, $5, $5, $7 FROM spent
            RETURNING COALESCE((SELECT verified FROM $schema$.voters WHERE voter_id = $2), false)
            """,
            shard.Entry.Epoch, voterId, sessionId, device, now, now - TimeSpan.FromDays(1),
            now + options.Value.SessionLifetime, login.Digest, login.ExpiresAt,
            registered.Aggregate, registered.Bytes, registered.TraceParent, registered.TraceState);
        return await command.ExecuteScalarAsync(cancel) is bool verified
            ? new(sessionId, voterId, device, 1, verified)
            : null;
    }

    // Whoever names no device cannot be told from one who copied the token.
    private async Task<Session?> AgainAsync(
        byte[] voterId, ProvenLogin login, string? device, CancellationToken cancel)
    {
        var shard = database.OfBucket(Buckets.Of(voterId));
        await using var command = shard.Command(
            """
            SELECT epoch = $1, session_id, verified
            FROM $schema$.shard LEFT JOIN (
                $schema$.spent_id_tokens
                JOIN $schema$.sessions USING (session_id) JOIN $schema$.voters USING (voter_id))
                ON digest = $2 AND spent_at >= $3 AND device = $4 AND generation = 1 AND ended_at IS NULL
            """,
            shard.Entry.Epoch, login.Digest, clock.GetUtcNow() - options.Value.SignInRetry, device);
        await using var row = await command.ExecuteReaderAsync(cancel);
        if (!await row.ReadAsync(cancel) || !row.GetBoolean(0)) throw new StaleShardMapException(shard);
        return await row.IsDBNullAsync(1, cancel)
            ? null
            : new(row.GetFieldValue<byte[]>(1), voterId, device, 1, row.GetBoolean(2));
    }

    private byte[] Draw()
    {
        var id = new byte[16];
        random.GetBytes(id);
        return id;
    }

    // The first secret for good: another one would make strangers of everybody.
    private byte[] LoginKey(string provider, string subject)
    {
        var name = Encoding.UTF8.GetBytes(provider);
        var message = new byte[sizeof(int) + name.Length + Encoding.UTF8.GetByteCount(subject)];
        BinaryPrimitives.WriteInt32BigEndian(message, name.Length);
        name.CopyTo(message, sizeof(int));
        Encoding.UTF8.GetBytes(subject, message.AsSpan(sizeof(int) + name.Length));
        return HMACSHA256.HashData(keys.Secrets(LoginKeyPurpose)[^1], message);
    }
}
