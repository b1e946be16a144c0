using System.Buffers;
using System.Buffers.Text;

namespace Platform;

/// <summary>Reads base64url as it comes from outside.</summary>
public static class Base64Id
{
    /// <summary>
    /// Decodes text that must stand for exactly as many bytes as <paramref name="bytes"/> has
    /// room for, without padding, in its one spelling. The framework's <c>Try…</c> throws at a
    /// sign that base64url has not; this does not.
    /// </summary>
    /// <returns>False for any other text, or null; the bytes are then undefined.</returns>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        if (text.Length != Base64Url.GetEncodedLength(bytes.Length)) return false;
        if (Base64Url.DecodeFromChars(text, bytes, out var read, out var written) is not OperationStatus.Done)
            return false;
        if (read != text.Length || written != bytes.Length) return false;

        // The last sign may carry bits that belong to no byte: two texts for the same id
        // would get past what compares texts.
        var rest = bytes.Length % 3;
        if (rest == 0) return true;
        Span<char> end = stackalloc char[4];
        var length = Base64Url.EncodeToChars(bytes[^rest..], end);
        return text.EndsWith(end[..length]);
    }
}
