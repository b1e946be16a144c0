using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using ZstdSharp;

namespace Audit;

/// <summary>
/// Reads what <see cref="SegmentWriter"/> wrote, line by line. Takes the form only: whether links and digests are
/// right is not looked at. Not thread safe.
/// </summary>
internal sealed class SegmentReader : IDisposable
{
    // An event of the log's largest size, every byte of it escaped.
    private const int LineSizeBytesMax = 6 * 1024 * 1024;
    private const int BlockSizeBytes = 128 * 1024;

    // The last sign of 32 bytes in base64url holds four bits of them, and two that are zero.
    private static readonly SearchValues<byte> LastSigns = SearchValues.Create("AEIMQUYcgkosw048"u8);

    private readonly DecompressionStream _unpacked;
    private byte[] _block = new byte[BlockSizeBytes];
    private int _from;
    private int _to;
    private long _line;
    private EntrySource? _source;

    /// <param name="segment">The object's bytes.</param>
    /// <exception cref="InvalidDataException">There are none.</exception>
    public SegmentReader(byte[] segment) => _unpacked = segment.Length == 0
        ? throw new InvalidDataException("The segment is empty.")
        : new(new MemoryStream(segment, writable: false), checkEndOfStream: true, leaveOpen: false);

    /// <summary>Reads the next entry.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InvalidDataException">The object is damaged, or a line is none of a segment; says
    /// which.</exception>
    public bool TryRead(out SegmentEntry entry)
    {
        entry = default;
        var line = NextLine();
        if (line.IsEmpty) return false;
        _line++;
        return TryParse(line, out entry) ? true : throw new InvalidDataException($"Line {_line} is no entry.");
    }

    public void Dispose() => _unpacked.Dispose();

    /// <returns>The line without its newline; empty at the end.</returns>
    private ReadOnlyMemory<byte> NextLine()
    {
        for (var searched = _from; ;)
        {
            var end = _block.AsSpan(searched, _to - searched).IndexOf((byte)'\n');
            if (end >= 0)
            {
                var line = _block.AsMemory(_from, searched + end - _from);
                _from = searched + end + 1;
                return line.IsEmpty ? throw new InvalidDataException($"Line {_line + 1} is empty.") : line;
            }

            searched = _to - _from;
            if (!Fill())
            {
                return _from == _to ? default : throw new InvalidDataException($"Line {_line + 1} is cut off.");
            }

            searched += _from;
        }
    }

    /// <summary>Reads more behind what is there, which comes to stand at the beginning.</summary>
    private bool Fill()
    {
        var rest = _to - _from;
        if (rest == _block.Length)
        {
            if (rest >= LineSizeBytesMax) throw new InvalidDataException($"Line {_line + 1} is too long.");
            Array.Resize(ref _block, _block.Length * 2);
        }
        else if (_from > 0)
        {
            _block.AsSpan(_from, rest).CopyTo(_block);
            (_from, _to) = (0, rest);
        }

        try
        {
            var read = _unpacked.Read(_block.AsSpan(_to));
            _to += read;
            return read > 0;
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            throw new InvalidDataException($"The segment is damaged behind line {_line}.", e);
        }
    }

    private bool TryParse(ReadOnlyMemory<byte> line, out SegmentEntry entry)
    {
        entry = default;
        var rest = line.Span;
        if (!Take(ref rest, "{\"index\":"u8) || !TryNumber(ref rest, out var index)
            || !Take(ref rest, ",\"previous\":\""u8) || !TryDigest(ref rest, out var previous)
            || !Take(ref rest, "\",\"hash\":\""u8) || !TryDigest(ref rest, out var hash)
            || !TrySource(ref rest, out var source, out var offset)
            || !TryEvent(line, rest, out var @event))
        {
            return false;
        }

        entry = new(index, previous, hash, source, offset, @event);
        return true;
    }

    private bool TrySource(
        ref ReadOnlySpan<byte> rest, [NotNullWhen(true)] out EntrySource? source, out long offset)
    {
        (source, offset) = (null, 0);
        var isLog = Take(ref rest, "\",\"log\":\""u8);
        if (!isLog && !Take(ref rest, "\",\"topic\":\""u8)) return false;
        var end = rest.IndexOf((byte)'"');
        if (end <= 0) return false;
        var topic = rest[..end];
        rest = rest[end..];
        long partition = -1;
        if (isLog)
        {
            if (!Take(ref rest, "\",\"checkpoint\":"u8)) return false;
        }
        else if (!Take(ref rest, "\",\"partition\":"u8) || !TryNumber(ref rest, out partition)
            || partition > int.MaxValue || !Take(ref rest, ",\"offset\":"u8))
        {
            return false;
        }

        if (_source is null || (_source.Partition ?? -1) != partition || !Encodes(_source.Topic, topic))
            _source = new(Encoding.UTF8.GetString(topic), isLog ? null : (int)partition);
        source = _source;
        return TryNumber(ref rest, out offset);
    }

    private static bool TryEvent(
        ReadOnlyMemory<byte> line, ReadOnlySpan<byte> rest, out ReadOnlyMemory<byte> @event)
    {
        @event = default;
        if (rest.Length < 2 || rest[^1] != (byte)'}') return false;
        if (Take(ref rest, ",\"event\":"u8))
        {
            @event = line[^rest.Length..^1];
            return true;
        }

        if (Take(ref rest, ",\"text\":"u8)) return TryText(rest[..^1], out @event);
        if (!Take(ref rest, ",\"bytes\":\""u8) || rest is not [.., (byte)'"', _]) return false;
        var bytes = new byte[Base64Url.GetMaxDecodedLength(rest.Length - 2)];
        var status = Base64Url.DecodeFromUtf8(rest[..^2], bytes, out _, out var length);
        @event = bytes.AsMemory(0, length);
        if (status is not OperationStatus.Done) return false;
        // The framework takes other spellings as well.
        var again = new byte[Base64Url.GetEncodedLength(length)];
        return Base64Url.EncodeToUtf8(bytes.AsSpan(0, length), again) == again.Length
            && rest[..^2].SequenceEqual(again);
    }

    private static bool TryText(ReadOnlySpan<byte> quoted, out ReadOnlyMemory<byte> text)
    {
        text = default;
        try
        {
            var json = new Utf8JsonReader(quoted);
            if (!json.Read() || json.TokenType is not JsonTokenType.String) return false;
            text = Encoding.UTF8.GetBytes(json.GetString()!);
            return !json.Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool Encodes(string text, ReadOnlySpan<byte> utf8) =>
        text.Length == utf8.Length && Ascii.Equals(utf8, text);

    private static bool Take(ref ReadOnlySpan<byte> rest, ReadOnlySpan<byte> expected)
    {
        if (!rest.StartsWith(expected)) return false;
        rest = rest[expected.Length..];
        return true;
    }

    private static bool TryNumber(ref ReadOnlySpan<byte> rest, out long number)
    {
        if (rest is [] or [(byte)'-' or (byte)'+', ..]
            || !Utf8Parser.TryParse(rest, out number, out var length)
            || (length > 1 && rest[0] == (byte)'0'))
        {
            number = 0;
            return false;
        }

        rest = rest[length..];
        return true;
    }

    private static bool TryDigest(ref ReadOnlySpan<byte> rest, out Digest digest)
    {
        const int Length = 43;
        digest = default;
        Span<byte> bytes = stackalloc byte[Digest.Bytes];
        if (rest.Length < Length
            || Base64Url.DecodeFromUtf8(rest[..Length], bytes, out _, out var written) is not OperationStatus.Done
            || written != Digest.Bytes || !LastSigns.Contains(rest[Length - 1]))
        {
            return false;
        }

        digest = new(bytes);
        rest = rest[Length..];
        return true;
    }
}
