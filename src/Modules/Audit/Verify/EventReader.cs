using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;

namespace Audit;

/// <summary>
/// Reads the members of an archived event in the order in which events of the first version have them. Written for the
/// recount alone: it shares nothing with the code that wrote the events or counted them.
/// </summary>
internal ref struct EventReader(ReadOnlySpan<byte> json)
{
    private Utf8JsonReader _json = new(json);

    /// <summary>Reads one token.</summary>
    /// <exception cref="JsonException">There is none.</exception>
    public JsonTokenType Next() => _json.Read() ? _json.TokenType : throw new JsonException("It ends too early.");

    public void Take(JsonTokenType type)
    {
        if (Next() != type) throw new JsonException($"{_json.TokenType} stands where {type} was to be.");
    }

    /// <summary>Reads a member's name.</summary>
    public void Name(ReadOnlySpan<byte> name)
    {
        Take(JsonTokenType.PropertyName);
        if (!_json.ValueTextEquals(name)) throw new JsonException("Another member was to stand here.");
    }

    /// <summary>Reads a member that is a text, and passes it over.</summary>
    public void Text(ReadOnlySpan<byte> name)
    {
        Name(name);
        Take(JsonTokenType.String);
    }

    /// <summary>Reads a member that must be a certain text.</summary>
    public void Text(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Text(name);
        if (!_json.ValueTextEquals(value)) throw new JsonException("Another text was to stand here.");
    }

    public readonly byte[] Base64 => _json.GetBytesFromBase64();

    public long Number(ReadOnlySpan<byte> name)
    {
        Name(name);
        Take(JsonTokenType.Number);
        return _json.GetInt64();
    }

    public int Id(ReadOnlySpan<byte> name)
    {
        Text(name);
        return IdValue();
    }

    /// <summary>The text that was read last, as a decimal id.</summary>
    public readonly int IdValue()
    {
        var text = _json.ValueSpan;
        if (_json.ValueIsEscaped || text is not [>= (byte)'1' and <= (byte)'9', ..]
            || !Utf8Parser.TryParse(text, out int id, out var read) || read != text.Length)
        {
            throw new JsonException("No id where one was to be.");
        }

        return id;
    }

    public UInt128 Key(ReadOnlySpan<byte> name)
    {
        Text(name);
        return KeyValue();
    }

    /// <summary>The text that was read last, as 16 bytes of base64url.</summary>
    public readonly UInt128 KeyValue()
    {
        const int TextLength = 22;
        var text = _json.ValueSpan;
        Span<byte> bytes = stackalloc byte[16];
        Span<byte> again = stackalloc byte[TextLength];
        if (_json.ValueIsEscaped || text.Length != TextLength
            || Base64Url.DecodeFromUtf8(text, bytes, out _, out var written) is not System.Buffers.OperationStatus.Done
            || written != bytes.Length || Base64Url.EncodeToUtf8(bytes, again) != TextLength
            || !again.SequenceEqual(text))
        {
            throw new JsonException("No key of 16 bytes where one was to be.");
        }

        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <summary>Whether the text, or the name, that was read last is this one.</summary>
    public readonly bool IsText(ReadOnlySpan<byte> text) => _json.ValueTextEquals(text);

    /// <summary>Whether the text that was read last holds a null character.</summary>
    public readonly bool HasNull() =>
        _json.ValueIsEscaped && _json.GetString()!.Contains('\0', StringComparison.Ordinal);

    /// <summary>Whether the text that was read last is empty.</summary>
    public readonly bool IsEmpty => _json.ValueSpan.IsEmpty;
}
