using System.Buffers.Binary;
using System.Collections.Concurrent;

namespace Platform;

/// <summary>
/// What this process knows of sessions whose access tokens are not to be taken any more. Filled by the module that
/// owns sessions; asked for every token. Safe for use by many threads.
/// </summary>
/// <remarks>Holds only what can still matter: an entry goes once every token that it bars has expired.</remarks>
public sealed class RevokedTokens(TimeProvider clock)
{
    private readonly ConcurrentDictionary<UInt128, DateTimeOffset> _sessions = new();
    private long _sweptAtTicks;

    /// <summary>Tokens of the session are refused from now on. A repeat changes nothing.</summary>
    /// <param name="sessionId">16 bytes.</param>
    /// <param name="at">When it was ended.</param>
    public void RevokeSession(ReadOnlySpan<byte> sessionId, DateTimeOffset at)
    {
        var now = clock.GetUtcNow();
        // A token lives for 15 minutes; twice that also covers clocks that differ.
        var outlived = now - 2 * VoterTokens.Lifetime;
        if (at < outlived) return;
        _sessions.AddOrUpdate(Key(sessionId), at, (_, known) => known > at ? known : at);

        var swept = Interlocked.Read(ref _sweptAtTicks);
        if (now.UtcTicks - swept < TimeSpan.TicksPerMinute) return;
        if (Interlocked.CompareExchange(ref _sweptAtTicks, now.UtcTicks, swept) != swept) return;
        foreach (var entry in _sessions)
        {
            if (entry.Value < outlived) _sessions.TryRemove(entry);
        }
    }

    /// <returns>Whether the token that the caller came with is to be refused.</returns>
    public bool Bars(VoterCaller caller) => Bars(caller.SessionId);

    /// <param name="sessionId">16 bytes.</param>
    /// <returns>Whether tokens of the session are to be refused.</returns>
    public bool Bars(ReadOnlySpan<byte> sessionId) => _sessions.ContainsKey(Key(sessionId));

    private static UInt128 Key(ReadOnlySpan<byte> id) => BinaryPrimitives.ReadUInt128BigEndian(id);
}
