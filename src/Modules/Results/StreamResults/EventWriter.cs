using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;

namespace Results;

/// <summary>Writes events to a connection, as one chunk each (RFC 9112, 7.1) where the response is chunked.</summary>
internal readonly struct EventWriter(PipeWriter connection, bool chunked)
{
    private static ReadOnlySpan<byte> LineEnd => "\r\n"u8;

    /// <param name="bytes">Whole events, or a comment; not empty.</param>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (!chunked)
        {
            connection.Write(bytes);
            return;
        }

        Span<byte> size = stackalloc byte[8];
        bytes.Length.TryFormat(size, out var digits, "x", CultureInfo.InvariantCulture);
        connection.Write(size[..digits]);
        connection.Write(LineEnd);
        connection.Write(bytes);
        connection.Write(LineEnd);
    }

    /// <summary>Says that nothing comes any more. It is sent when the connection is closed.</summary>
    public void End()
    {
        if (chunked) connection.Write("0\r\n\r\n"u8);
    }

    /// <summary>Sends what was written; waits while the reader is behind.</summary>
    public ValueTask<FlushResult> FlushAsync() => connection.FlushAsync(CancellationToken.None);
}
