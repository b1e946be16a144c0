using System.Globalization;
using System.Text;

namespace Witness;

/// <summary>A checkpoint as a log sends it: the three lines that it signed, and the lines of its signatures.</summary>
internal sealed record Note(string Origin, long Size, byte[] Root, string Text, string[] Signatures)
{
    private const int SignaturesMax = 100;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <returns>Null if it is no text in UTF-8.</returns>
    public static string? Decode(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Utf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <returns>Null if it is no checkpoint of exactly three lines with signatures.</returns>
    public static Note? Parse(string note)
    {
        // The checkpoint has no empty line: the first one is the last.
        if (note.Split("\n\n") is not [var head, var tail] || !tail.EndsWith('\n')) return null;
        if (head.Split('\n') is not [var origin, var size, var root]) return null;
        if (!IsName(origin) || ParseNumber(size) is not { } number || ParseBase64(root) is not { Length: 32 } hash)
            return null;
        var signatures = tail[..^1].Split('\n');
        return signatures.Length > SignaturesMax || !Array.TrueForAll(signatures, IsSignature)
            ? null
            : new(origin, number, hash, $"{head}\n", signatures);
    }

    public static bool IsName(string name) => name.Length > 0
        && !name.Any(character => character == '+' || char.IsWhiteSpace(character) || char.IsControl(character));

    /// <returns>Null if it is not a number that is written as numbers are, without sign or leading zero.</returns>
    public static long? ParseNumber(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && text == number.ToString(CultureInfo.InvariantCulture) ? number : null;

    /// <returns>Null if it is not the one base64 of some bytes.</returns>
    public static byte[]? ParseBase64(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var count)
            && Convert.ToBase64String(bytes, 0, count) == text ? bytes[..count] : null;
    }

    private static bool IsSignature(string line) => line.Split(' ') is ["—", var name, var encoded]
        && IsName(name) && ParseBase64(encoded) is { Length: > 4 };
}
