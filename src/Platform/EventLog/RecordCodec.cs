using System.Buffers.Binary;
using System.Text;

namespace Platform;

/// <summary>How records lie in a stored batch: writer above reader.</summary>
/// <remarks>
/// One byte, the form's number, then the records one after the other: key, value, the number of headers (one byte), and
/// for each its name (UTF-8) and value. Each of these parts is its length (32 bits, little endian) and its bytes.
/// </remarks>
internal static class RecordCodec
{
    /// <summary>Bytes before the first record.</summary>
    public const int PreambleSizeBytes = 1;

    private const byte Form = 1;
    private const int LengthSizeBytes = sizeof(int);

    /// <returns>The record's size in a batch.</returns>
    public static int SizeBytes(in LogRecord record)
    {
        var size = LengthSizeBytes + record.Key.Length + LengthSizeBytes + record.Value.Length + 1;
        foreach (var header in record.Headers ?? [])
            size += LengthSizeBytes + Encoding.UTF8.GetByteCount(header.Name) + LengthSizeBytes + header.Value.Length;
        return size;
    }

    public static int WritePreamble(Span<byte> to)
    {
        to[0] = Form;
        return PreambleSizeBytes;
    }

    /// <returns>How many bytes were written: <see cref="SizeBytes"/>.</returns>
    public static int Write(in LogRecord record, Span<byte> to)
    {
        var at = WritePart(record.Key.Span, to);
        at += WritePart(record.Value.Span, to[at..]);
        var headers = record.Headers ?? [];
        to[at++] = (byte)headers.Length;
        foreach (var header in headers)
        {
            var length = Encoding.UTF8.GetBytes(header.Name, to[(at + LengthSizeBytes)..]);
            BinaryPrimitives.WriteInt32LittleEndian(to[at..], length);
            at += LengthSizeBytes + length;
            at += WritePart(header.Value.Span, to[at..]);
        }

        return at;
    }

    /// <summary>Adds a stored batch's records, from an offset on. They share the payload's memory.</summary>
    /// <exception cref="InvalidDataException">The payload is not a batch of that many records.</exception>
    public static void Read(
        ReadOnlyMemory<byte> payload, long firstOffset, int count, long from, Queue<StoredRecord> to)
    {
        if (payload.IsEmpty || payload.Span[0] != Form)
            throw new InvalidDataException($"The batch at {firstOffset} is of a form that this version does not know.");

        var rest = payload[PreambleSizeBytes..];
        for (var offset = firstOffset; offset < firstOffset + count; offset++)
        {
            var key = ReadPart(ref rest, firstOffset);
            var value = ReadPart(ref rest, firstOffset);
            var headers = ReadHeaders(ref rest, firstOffset);
            if (offset >= from) to.Enqueue(new(offset, key, value, headers));
        }

        if (!rest.IsEmpty) throw Damaged(firstOffset);
    }

    private static LogHeader[] ReadHeaders(ref ReadOnlyMemory<byte> rest, long firstOffset)
    {
        if (rest.IsEmpty) throw Damaged(firstOffset);
        var headers = rest.Span[0] == 0 ? [] : new LogHeader[rest.Span[0]];
        rest = rest[1..];
        for (var i = 0; i < headers.Length; i++)
        {
            var name = Encoding.UTF8.GetString(ReadPart(ref rest, firstOffset).Span);
            headers[i] = new(name, ReadPart(ref rest, firstOffset));
        }

        return headers;
    }

    private static int WritePart(ReadOnlySpan<byte> part, Span<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to, part.Length);
        part.CopyTo(to[LengthSizeBytes..]);
        return LengthSizeBytes + part.Length;
    }

    private static ReadOnlyMemory<byte> ReadPart(ref ReadOnlyMemory<byte> rest, long firstOffset)
    {
        if (rest.Length < LengthSizeBytes) throw Damaged(firstOffset);
        var length = BinaryPrimitives.ReadInt32LittleEndian(rest.Span);
        if (length < 0 || length > rest.Length - LengthSizeBytes) throw Damaged(firstOffset);
        var part = rest.Slice(LengthSizeBytes, length);
        rest = rest[(LengthSizeBytes + length)..];
        return part;
    }

    private static InvalidDataException Damaged(long firstOffset) => new($"The batch at {firstOffset} is damaged.");
}
