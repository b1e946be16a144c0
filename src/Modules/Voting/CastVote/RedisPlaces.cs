using System.Buffers.Binary;
using Platform;
using StackExchange.Redis;

namespace Voting;

/// <summary>How Redis answered.</summary>
internal enum PlaceAnswer
{
    /// <summary>Not at all, or too late: it may have been done, or be done later.</summary>
    None,

    /// <summary>It is as was asked.</summary>
    Done,

    /// <summary>Something else is there.</summary>
    Different,

    /// <summary>Nothing is there.</summary>
    Missing,
}

/// <summary>
/// Voters' places in Redis: one key a place, each step one script, ages by the server's clock so that all processes
/// agree on them. Safe for use by many threads.
/// </summary>
/// <param name="redis">The server.</param>
/// <param name="lifetime">How long a place is kept after it was taken or its ballot appended.</param>
internal sealed class RedisPlaces(RedisLink redis, TimeSpan lifetime)
{
    private const byte KeyKind = (byte)'r';
    private const byte Pending = (byte)'p';
    private const byte Joined = (byte)'j';
    private const byte Appended = (byte)'a';

    // State, then microseconds of the server's clock at which the place was taken (of a pending one).
    private const int HeadBytes = 9;
    private const int FixedBytes = 16 + 8 + 32 + 16;

    private static readonly RedisScript Reserve = new("""
        local there = redis.call('GET', KEYS[1])
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        if there then return {there, now - struct.unpack('>I8', there, 2)} end
        redis.call('SET', KEYS[1], 'p' .. struct.pack('>I8', now) .. ARGV[1], 'EX', ARGV[2])
        return false
        """);

    private static readonly RedisScript Find = new("""
        local there = redis.call('GET', KEYS[1])
        if not there then return false end
        local time = redis.call('TIME')
        return {there, time[1] * 1000000 + time[2] - struct.unpack('>I8', there, 2)}
        """);

    private static readonly RedisScript TakeOver = new("""
        local there = redis.call('GET', KEYS[1])
        if not there then return 3 end
        if string.byte(there) == 97 or string.sub(there, 10) ~= ARGV[1] then return 2 end
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        redis.call('SET', KEYS[1], 'p' .. struct.pack('>I8', now) .. ARGV[2], 'EX', ARGV[3])
        return 1
        """);

    private static readonly RedisScript Join = new("""
        local there = redis.call('GET', KEYS[1])
        if not there then return 3 end
        if string.sub(there, 10) ~= ARGV[1] then return 2 end
        if string.byte(there) == 97 then return 1 end
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        redis.call('SET', KEYS[1], 'j' .. struct.pack('>I8', now) .. ARGV[1], 'EX', ARGV[2])
        return 1
        """);

    private static readonly RedisScript Release = new("""
        local there = redis.call('GET', KEYS[1])
        if not there then return 3 end
        if string.byte(there) ~= 112 or string.sub(there, 10) ~= ARGV[1] then return 2 end
        redis.call('DEL', KEYS[1])
        return 1
        """);

    private readonly RedisValue _lifetimeSeconds = (long)lifetime.TotalSeconds;

    /// <returns>
    /// <see cref="PlaceAnswer.Done"/>: it is taken. <see cref="PlaceAnswer.Different"/>: who has it, which may be this
    /// very reservation.
    /// </returns>
    public async ValueTask<(PlaceAnswer Answer, HeldReservation There)> ReserveAsync(Reservation wanted) =>
        await redis.RunAsync(Reserve, Key(wanted), Body(wanted), _lifetimeSeconds) switch
        {
            null => (PlaceAnswer.None, default),
            { IsNull: true } => (PlaceAnswer.Done, default),
            var there => (PlaceAnswer.Different, Read(wanted.Survey, wanted.VoterKey, there)),
        };

    /// <returns><see cref="PlaceAnswer.Done"/>: what is there.</returns>
    public async ValueTask<(PlaceAnswer Answer, HeldReservation There)> FindAsync(int survey, Key16 voterKey) =>
        await redis.RunAsync(Find, Key(survey, voterKey)) switch
        {
            null => (PlaceAnswer.None, default),
            { IsNull: true } => (PlaceAnswer.Missing, default),
            var there => (PlaceAnswer.Done, Read(survey, voterKey, there)),
        };

    /// <summary>As of <see cref="IReservations.TakeOverAsync"/>.</summary>
    public async ValueTask<PlaceAnswer> TakeOverAsync(Reservation found, Reservation wanted) =>
        Answer(await redis.RunAsync(TakeOver, Key(wanted), Body(found), Body(wanted), _lifetimeSeconds));

    /// <summary>As of <see cref="IReservations.JoinAsync"/>.</summary>
    public async ValueTask<PlaceAnswer> JoinAsync(Reservation found) =>
        Answer(await redis.RunAsync(Join, Key(found), Body(found), _lifetimeSeconds));

    /// <summary>As of <see cref="IReservations.ReleaseAsync"/>.</summary>
    public async ValueTask<PlaceAnswer> ReleaseAsync(Reservation reservation) =>
        Answer(await redis.RunAsync(Release, Key(reservation), Body(reservation)));

    /// <summary>Sends word that the ballot is in the log, and waits for nothing.</summary>
    public void SendAppended(Reservation reservation)
    {
        var body = new byte[SizeBytes(reservation)];
        body[0] = Appended;
        Write(reservation, body);
        redis.Send(Key(reservation), body, lifetime);
    }

    private RedisKey Key(Reservation reservation) => Key(reservation.Survey, reservation.VoterKey);

    private RedisKey Key(int survey, Key16 voterKey)
    {
        Span<byte> name = stackalloc byte[20];
        BinaryPrimitives.WriteInt32BigEndian(name, survey);
        voterKey.Write(name[4..]);
        return redis.Key(KeyKind, name);
    }

    private static PlaceAnswer Answer(RedisResult? result) =>
        result is null ? PlaceAnswer.None : (PlaceAnswer)(int)result;

    // The layout: writer above reader. Survey and voter key stand in the key.

    private static int SizeBytes(Reservation reservation) => HeadBytes + FixedBytes + 1 + reservation.Receipt.Length;

    /// <returns>Everything but the head.</returns>
    private static RedisValue Body(Reservation reservation)
    {
        var value = new byte[SizeBytes(reservation)];
        Write(reservation, value);
        return value.AsMemory(HeadBytes);
    }

    private static void Write(Reservation reservation, byte[] value)
    {
        var body = value.AsSpan(HeadBytes);
        reservation.VoteId.Write(body);
        BinaryPrimitives.WriteInt64BigEndian(body[16..], reservation.AcceptedAt.ToUnixTimeMilliseconds());
        reservation.Entry.CopyTo(body[24..]);
        reservation.Idempotency.GetValueOrDefault().Write(body[56..]);
        body[72] = (byte)(reservation.Idempotency is null ? 0 : 1);
        reservation.Receipt.CopyTo(body[73..]);
    }

    private static HeldReservation Read(int survey, Key16 voterKey, RedisResult there)
    {
        var parts = (RedisResult[])there!;
        var value = (byte[])parts[0]!;
        var body = value.AsSpan(HeadBytes);
        var reservation = new Reservation(
            survey, voterKey, Key16.Of(body),
            DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64BigEndian(body[16..])),
            body[24..56].ToArray(), body[73..].ToArray(), body[72] == 0 ? null : Key16.Of(body[56..]));
        return new(reservation, value[0] == Appended, TimeSpan.FromMicroseconds((long)parts[1]));
    }
}
