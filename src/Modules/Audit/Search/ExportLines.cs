using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Audit;

/// <summary>In which form events are given out.</summary>
internal enum ExportFormat
{
    /// <summary>One JSON object a line.</summary>
    Ndjson,

    /// <summary>RFC 4180, with a line of names.</summary>
    Csv,
}

/// <summary>Writes events as lines of a file.</summary>
/// <param name="to">Takes the bytes.</param>
/// <param name="format">Which form.</param>
/// <param name="withEvents">Whether the events themselves are written.</param>
internal sealed class ExportLines(IBufferWriter<byte> to, ExportFormat format, bool withEvents) : IDisposable
{
    private const string Head =
        "log,index,time,type,survey,vote,voterKey,actor,topic,partition,offset,entry";

    private static readonly JsonWriterOptions Writing =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private static readonly SearchValues<char> Quoted = SearchValues.Create(",\"\r\n");

    // What spreadsheets would run as a formula; an actor's name, for one, is chosen by somebody else.
    private static readonly SearchValues<char> Formulas = SearchValues.Create("=+-@\t\r");

    private readonly Utf8JsonWriter _json = new(to, Writing);

    /// <summary>The line of names, in the form that has one.</summary>
    public void WriteHead()
    {
        if (format is ExportFormat.Csv) Put(withEvents ? $"{Head},event,bytes\r\n" : $"{Head}\r\n");
    }

    /// <param name="one">As the index has it.</param>
    /// <param name="content">
    /// The event: written as it is where a reader of lines understands that, else in base64url.
    /// </param>
    public void Write(ArchivedEvent one, byte[]? content)
    {
        var view = EventView.Of(one);
        var isText = content is not null && one.Type != EventFacts.Unreadable
            && content.AsSpan().IndexOfAny((byte)'\n', (byte)'\r') < 0 && Utf8.IsValid(content);
        if (format is ExportFormat.Csv) WriteCsv(view, content, isText);
        else WriteJson(view, content, isText);
    }

    public void Dispose() => _json.Dispose();

    private void WriteJson(EventView view, byte[]? content, bool isText)
    {
        _json.Reset(to);
        _json.WriteStartObject();
        _json.WriteString("log"u8, view.Log);
        _json.WriteNumber("index"u8, view.Index);
        _json.WriteString("time"u8, view.Time);
        _json.WriteString("type"u8, view.Type);
        _json.WriteString("survey"u8, view.Survey);
        _json.WriteString("vote"u8, view.Vote);
        _json.WriteString("voterKey"u8, view.VoterKey);
        _json.WriteString("actor"u8, view.Actor);
        _json.WriteString("topic"u8, view.Topic);
        _json.WriteNumber("partition"u8, view.Partition);
        _json.WriteNumber("offset"u8, view.Offset);
        _json.WriteString("entry"u8, view.Entry);
        if (content is not null && isText)
        {
            _json.WritePropertyName("event"u8);
            _json.WriteRawValue(content, skipInputValidation: true);
        }
        else if (content is not null)
        {
            _json.WriteString("bytes"u8, Base64Url.EncodeToString(content));
        }

        _json.WriteEndObject();
        _json.Flush();
        to.Write("\n"u8);
    }

    private void WriteCsv(EventView view, byte[]? content, bool isText)
    {
        var line = new StringBuilder(256);
        Field(view.Log);
        Field(view.Index.ToString(CultureInfo.InvariantCulture));
        Field(view.Time);
        Field(view.Type);
        Field(view.Survey);
        Field(view.Vote);
        Field(view.VoterKey);
        Field(view.Actor);
        Field(view.Topic);
        Field(view.Partition.ToString(CultureInfo.InvariantCulture));
        Field(view.Offset.ToString(CultureInfo.InvariantCulture));
        Field(view.Entry);
        if (withEvents)
        {
            Field(isText ? Encoding.UTF8.GetString(content!) : null);
            Field(isText || content is null ? null : Base64Url.EncodeToString(content));
        }

        line.Length--;
        Put(line.Append("\r\n").ToString());

        void Field(string? text)
        {
            if (text is [var first, ..] && Formulas.Contains(first)) text = $"'{text}";
            if (text is not null && text.AsSpan().ContainsAny(Quoted))
                line.Append('"').Append(text.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
            else line.Append(text);
            line.Append(',');
        }
    }

    private void Put(string text) => Encoding.UTF8.GetBytes(text, to);
}
