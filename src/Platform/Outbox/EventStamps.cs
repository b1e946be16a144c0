using System.Buffers.Text;
using System.Security.Cryptography;

namespace Platform;

/// <summary>Gives events their ids and times. Safe for use by many threads.</summary>
/// <remarks>
/// Ids are drawn, not derived: were they made of what the event tells, a database that was set back, or tampered with,
/// would tell of other things under the ids of the first ones, and readers would take them for repeats.
/// </remarks>
public sealed class EventStamps(RandomNumberGenerator random, TimeProvider clock)
{
    /// <returns>A new event's stamp.</returns>
    /// <param name="actor">Who does it.</param>
    /// <param name="at">When it happened; null means now.</param>
    public EventStamp New(EventActor actor, DateTimeOffset? at = null)
    {
        var id = new byte[16];
        random.GetBytes(id);
        return new(Base64Url.EncodeToString(id), at ?? clock.GetUtcNow(), actor);
    }
}
