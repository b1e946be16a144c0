using System.Buffers.Binary;

namespace Platform;

/// <summary>
/// What all processes together have let through of a caller, in Redis. Without an answer from it every process goes by
/// what it has let through itself. Safe for use by many threads.
/// </summary>
internal sealed class SharedLimits(RedisLink redis)
{
    // Never further ahead than one request too many: what was let through before the others knew is forgiven.
    private static readonly RedisScript Tell = new("""
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
        if arrival < now then arrival = now end
        arrival = math.min(arrival + ARGV[1], now + ARGV[2])
        redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
        return arrival - now
        """);

    /// <summary>Whether there is anybody to tell.</summary>
    public bool IsThere => redis.Answers;

    /// <summary>Tells of requests that were let through here, and learns of the others': one round trip.</summary>
    /// <returns>What is to be done with the request that was told of.</returns>
    public async ValueTask<LimitDecision> TellAsync(RateLimit limit, UInt128 caller, LimitDecision own)
    {
        if (own.Untold == 0) return own;
        var told = await redis.RunAsync(
            Tell, Key(limit, caller), Microseconds(limit.Interval * own.Untold),
            Microseconds(limit.Tolerance + limit.Interval));
        return told is null ? own : limit.Learn(caller, TimeSpan.FromMicroseconds((long)told));
    }

    private StackExchange.Redis.RedisKey Key(RateLimit limit, UInt128 caller)
    {
        Span<byte> name = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(name, caller);
        return redis.Key((byte)char.ToUpperInvariant(limit.Name[0]), name);
    }

    private static long Microseconds(TimeSpan span) => Math.Max(1, (long)span.TotalMicroseconds);
}
