using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;
using Platform;

namespace Audit;

/// <summary>Which events are looked for: those that all of it holds for. Null holds for every event.</summary>
/// <param name="Vote">16 bytes.</param>
/// <param name="VoterKey">16 bytes.</param>
/// <param name="Survey">Its id.</param>
/// <param name="Type">Whole.</param>
/// <param name="Actor">Whole.</param>
/// <param name="From">The first moment.</param>
/// <param name="To">The first moment that is too late.</param>
internal sealed record EventFilter(
    byte[]? Vote, byte[]? VoterKey, int? Survey, string? Type, string? Actor, DateTimeOffset? From, DateTimeOffset? To)
{
    private const int TextLengthMax = 200;
    private const string KeyFault = "This is 22 characters of base64url.";
    private const string TextFault = "This is 1 to 200 characters.";

    /// <summary>What an address may name besides what the endpoint itself takes.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["vote", "voterKey", "survey", "type", "actor", "from", "to"];

    /// <summary>Reads the filter; what is wrong is noted in the reader.</summary>
    public static EventFilter Of(QueryReader query)
    {
        var filter = new EventFilter(
            query.Reference<byte[]>("vote", KeyFault, TryKey), query.Reference<byte[]>("voterKey", KeyFault, TryKey),
            query.Optional("survey", "This is the id of a survey.", static (string text, out int id) =>
                JsonBody.TryParseId(text, out id)),
            query.Reference<string>("type", TextFault, TryText), query.Reference<string>("actor", TextFault, TryText),
            query.Moment("from"), query.Moment("to"));
        if (filter.From >= filter.To) query.Refuse("to", "This is later than 'from'.");
        return filter;
    }

    private static bool TryKey(string text, out byte[] key)
    {
        key = new byte[16];
        return Base64Id.TryDecode(text, key);
    }

    private static bool TryText(string text, out string value)
    {
        value = text;
        return text.Length is > 0 and <= TextLengthMax && !text.Contains('\0', StringComparison.Ordinal);
    }
}

/// <summary>Where a list of events stands: the last event that was given.</summary>
/// <param name="Time">Its time.</param>
/// <param name="Log">Its log.</param>
/// <param name="Index">Its place there.</param>
internal sealed record EventPlace(DateTimeOffset Time, string Log, long Index)
{
    private const int LogNameLengthMax = 64;
    private const int NumbersSizeBytes = 16;

    public static EventPlace Of(ArchivedEvent one) => new(one.Time, one.Log, one.Index);

    /// <returns>The cursor as it stands in an answer.</returns>
    public string Write()
    {
        var bytes = new byte[NumbersSizeBytes + Log.Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, Time.UtcTicks);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(8), Index);
        Encoding.ASCII.GetBytes(Log, bytes.AsSpan(NumbersSizeBytes));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Takes a cursor as <see cref="Write"/> writes it.</summary>
    public static bool TryRead(string text, out EventPlace place)
    {
        place = null!;
        Span<byte> bytes = stackalloc byte[NumbersSizeBytes + LogNameLengthMax];
        if (!Base64Url.IsValid(text, out var length) || length <= NumbersSizeBytes || length > bytes.Length
            || !Base64Id.TryDecode(text, bytes[..length]))
        {
            return false;
        }

        var ticks = BinaryPrimitives.ReadInt64BigEndian(bytes);
        var index = BinaryPrimitives.ReadInt64BigEndian(bytes[8..]);
        var log = bytes[NumbersSizeBytes..length];
        // The years that PostgreSQL and .NET both have.
        if (ticks < DateTimeOffset.UnixEpoch.Ticks || ticks > DateTimeOffset.MaxValue.UtcTicks || index < 0)
            return false;
        if (log.ContainsAnyExceptInRange((byte)'!', (byte)'~')) return false;
        place = new(new(ticks, TimeSpan.Zero), Encoding.ASCII.GetString(log), index);
        return true;
    }
}
