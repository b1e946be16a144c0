using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Platform;

namespace Identity;

/// <summary>Finds or makes the voter behind a login, and opens a session.</summary>
internal sealed class SignIn(
    IdentityDatabase database, KeyRing keys, RandomNumberGenerator random, IOptions<IdentityOptions> options,
    TimeProvider clock)
{
    public const string LoginKeyPurpose = "login-keys";

    /// <summary>Each call opens a session of its own; a login always finds the same voter, whatever races.</summary>
    /// <exception cref="StaleShardMapException">A shard has moved; no session was opened.</exception>
    public async Task<Session> OpenSessionAsync(
        string provider, string subject, string? device, CancellationToken cancel)
    {
        var voterId = await VoterAsync(LoginKey(provider, subject), cancel);
        return await OpenAsync(voterId, device, cancel);
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

    private async Task<Session> OpenAsync(byte[] voterId, string? device, CancellationToken cancel)
    {
        var shard = database.OfBucket(Buckets.Of(voterId));
        var sessionId = Draw();
        // A session lies where its voter lies, and says so itself.
        voterId.AsSpan(0, 2).CopyTo(sessionId);
        var now = clock.GetUtcNow();
        // The voter's row may be missing although the login is there: they lie apart, and processes die in between.
        await using var command = shard.Command(
            """
            WITH place AS (SELECT 1 FROM $schema$.shard WHERE epoch = $1),
            voter AS (
                INSERT INTO $schema$.voters (voter_id, created_at) SELECT $2, $5 FROM place ON CONFLICT DO NOTHING),
            outlived AS (
                DELETE FROM $schema$.sessions
                WHERE voter_id = $2 AND (expires_at < $6 OR ended_at < $6) AND EXISTS (SELECT FROM place))
            INSERT INTO $schema$.sessions
                (session_id, voter_id, device, generation, created_at, rotated_at, expires_at)
            SELECT $3, $2, $4, 1, $5, $5, $7 FROM place
            RETURNING COALESCE((SELECT verified FROM $schema$.voters WHERE voter_id = $2), false)
            """,
            shard.Entry.Epoch, voterId, sessionId, device, now, now - TimeSpan.FromDays(1),
            now + options.Value.SessionLifetime);
        return await command.ExecuteScalarAsync(cancel) is bool verified
            ? new(sessionId, voterId, device, 1, verified)
            : throw new StaleShardMapException(shard);
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
