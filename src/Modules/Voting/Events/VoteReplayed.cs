using System.Text;

namespace Voting;

/// <summary>
/// A record that was set aside as poison and can be read by now, said again in its partition so that counting decides
/// it: a CloudEvent in <c>votes</c>, frozen by golden files.
/// </summary>
/// <remarks>
/// It keeps the place of the record that it replays: only a fence before <paramref name="Offset"/> bars its vote. Two
/// replays of a record have the same bytes.
/// </remarks>
/// <param name="Partition">Of <c>votes</c>, of both records.</param>
/// <param name="Offset">Of the record that was set aside.</param>
/// <param name="SetAsideAt">When that was; whole milliseconds.</param>
/// <param name="Event">The record's bytes.</param>
internal sealed record VoteReplayed(int Partition, long Offset, DateTimeOffset SetAsideAt, ReadOnlyMemory<byte> Event)
{
    public const string Type = "vote.replayed";

    /// <returns>The event's bytes.</returns>
    public byte[] ToBytes(EventMac mac)
    {
        var id = Encoding.ASCII.GetBytes($"replayed-{Partition}-{Offset}");
        var json = EventJson.Begin(Type, "/voting/poison", id, SetAsideAt);
        json.WriteNumber("partition"u8, Partition);
        json.WriteNumber("offset"u8, Offset);
        json.WriteBase64String("event"u8, Event.Span);
        return mac.Seal(EventJson.End(json));
    }
}
