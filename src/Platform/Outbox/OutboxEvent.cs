using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Platform;

/// <summary>Who did what an event tells of.</summary>
/// <param name="Name">Staff: the token's subject. Never a voter's id, which no event carries.</param>
/// <param name="Role">One of <see cref="StaffRole"/>, or <c>operator</c>, <c>system</c>, <c>voter</c>.</param>
public sealed record EventActor(string Name, string Role)
{
    /// <summary>Whoever may run the binary with the installation's settings: nobody knows more of them.</summary>
    public static EventActor Operator { get; } = new("operator", "operator");

    /// <returns>A member of staff.</returns>
    public static EventActor Of(StaffCaller caller) => new(caller.Subject, caller.Role);

    /// <returns>A part of the platform that acts by itself.</returns>
    public static EventActor System(string part) => new(part, "system");

    /// <returns>A voter of that pseudonym.</returns>
    public static EventActor Voter(string pseudonym) => new(pseudonym, "voter");
}

/// <summary>Which event it is: what no two have in common.</summary>
/// <param name="Id">Never given to another event of the installation.</param>
/// <param name="At">When it happened; written in whole milliseconds, UTC.</param>
/// <param name="Actor">Who did it.</param>
public sealed record EventStamp(string Id, DateTimeOffset At, EventActor Actor);

/// <summary>
/// An event of an aggregate on its way to the log: CloudEvents 1.0, JSON, structured mode. The bytes are made once and
/// are the event from then on: whoever passes it on changes nothing.
/// </summary>
public sealed class OutboxEvent
{
    /// <summary>Times in events: milliseconds, always.</summary>
    public const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    // Not escaping what JSON does not demand keeps other languages' text short; the bytes go to no web page.
    private static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private OutboxEvent(string aggregate, byte[] bytes)
    {
        (Aggregate, Bytes) = (aggregate, bytes);
        (TraceParent, TraceState) = TraceHeaders.Current;
    }

    /// <summary>What it is about: the record's key, by which events keep their order.</summary>
    public string Aggregate { get; }

    /// <summary>The event.</summary>
    public byte[] Bytes { get; }

    /// <summary>W3C trace context of where it happened, or null.</summary>
    public string? TraceParent { get; }

    /// <summary>What goes with <see cref="TraceParent"/>, or null.</summary>
    public string? TraceState { get; }

    /// <summary>Writes the event. Members stand in a fixed order: the same values are the same bytes.</summary>
    /// <param name="type">Such as <c>thing.created</c>.</param>
    /// <param name="source">Where in the platform: <c>/module/things</c>.</param>
    /// <param name="aggregate">The subject, such as <c>thing/7</c>; at most 200 characters.</param>
    /// <param name="stamp">Which event, when, by whom.</param>
    /// <param name="data">Writes the members of <c>data</c>.</param>
    /// <exception cref="ArgumentException">The event is larger than the log takes.</exception>
    public static OutboxEvent Compose(
        string type, string source, string aggregate, EventStamp stamp, Action<Utf8JsonWriter> data)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Writing))
        {
            json.WriteStartObject();
            json.WriteString("specversion"u8, "1.0"u8);
            json.WriteString("type"u8, type);
            json.WriteString("source"u8, source);
            json.WriteString("subject"u8, aggregate);
            json.WriteString("id"u8, stamp.Id);
            json.WriteString("time"u8, Time(stamp.At));
            json.WriteString("actor"u8, stamp.Actor.Name);
            json.WriteString("actorrole"u8, stamp.Actor.Role);
            json.WriteString("datacontenttype"u8, "application/json"u8);
            json.WriteStartObject("data"u8);
            data(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        // Refused here, where its cause still can be undone: in the outbox it would be in the way for ever.
        if (buffer.WrittenCount > IEventLog.RecordSizeBytesMax)
            throw new ArgumentException($"An event {type} of {buffer.WrittenCount} bytes is too large.", nameof(data));
        return new(aggregate, buffer.WrittenSpan.ToArray());
    }

    /// <returns>The time as events say it.</returns>
    public static string Time(DateTimeOffset at) => at.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);
}
