using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voting;

/// <summary>What all events share: CloudEvents 1.0, JSON, structured mode.</summary>
internal static class EventJson
{
    /// <summary>Times in events: milliseconds, always.</summary>
    public const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private const int TimeLength = 24;

    // Not escaping what JSON does not demand keeps other languages' text short; the bytes go to no web page.
    private static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? writer;

    /// <summary>
    /// Begins an event in this thread's one buffer, up to the first member of <c>data</c>. Nothing may be awaited, and
    /// no other event begun, before <see cref="End"/>.
    /// </summary>
    /// <param name="id">Visible ASCII.</param>
    public static Utf8JsonWriter Begin(string type, string source, ReadOnlySpan<byte> id, DateTimeOffset time)
    {
        buffer ??= new(1024);
        buffer.ResetWrittenCount();
        writer ??= new(buffer, Writing);
        writer.Reset(buffer);

        writer.WriteStartObject();
        writer.WriteString("specversion"u8, "1.0"u8);
        writer.WriteString("type"u8, type);
        writer.WriteString("source"u8, source);
        writer.WriteString("id"u8, id);
        Span<byte> text = stackalloc byte[TimeLength];
        time.UtcDateTime.TryFormat(text, out _, TimeFormat, CultureInfo.InvariantCulture);
        writer.WriteString("time"u8, text);
        writer.WriteString("datacontenttype"u8, "application/json"u8);
        writer.WriteStartObject("data"u8);
        return writer;
    }

    /// <returns>The whole event; the bytes last until this thread begins another one.</returns>
    public static ReadOnlySpan<byte> End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer!.WrittenSpan;
    }

    /// <summary>Writes an id, which is a string wherever it stands.</summary>
    public static void WriteId(this Utf8JsonWriter json, ReadOnlySpan<byte> name, int id)
    {
        Span<byte> text = stackalloc byte[11];
        Utf8Formatter.TryFormat(id, text, out var length);
        json.WriteString(name, text[..length]);
    }

    /// <inheritdoc cref="WriteId(Utf8JsonWriter, ReadOnlySpan{byte}, int)"/>
    public static void WriteId(this Utf8JsonWriter json, ReadOnlySpan<byte> name, Key16 id)
    {
        Span<byte> text = stackalloc byte[Key16.TextLength];
        id.WriteText(text);
        json.WriteString(name, text);
    }

    /// <summary>Reads a time as <see cref="Begin"/> writes it.</summary>
    /// <exception cref="JsonException">It is written in another way, or there is no such time.</exception>
    public static DateTimeOffset ReadTime(ReadOnlySpan<byte> text)
    {
        if (text.Length != TimeLength || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':'
            || text[16] != ':' || text[19] != '.' || text[23] != 'Z')
        {
            throw new JsonException("Not a time.");
        }

        var (year, month, day) = (Digits(text[..4]), Digits(text[5..7]), Digits(text[8..10]));
        var (hour, minute, second) = (Digits(text[11..13]), Digits(text[14..16]), Digits(text[17..19]));
        if (year is 0 || month is 0 or > 12 || day is 0 || day > DateTime.DaysInMonth(year, month)
            || hour > 23 || minute > 59 || second > 59)
        {
            throw new JsonException("Not a time that there is.");
        }

        return new(year, month, day, hour, minute, second, Digits(text[20..23]), TimeSpan.Zero);
    }

    private static int Digits(ReadOnlySpan<byte> text)
    {
        var value = 0;
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9') throw new JsonException("Not a digit.");
            value = value * 10 + digit - '0';
        }

        return value;
    }
}
