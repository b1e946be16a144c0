using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Audit;

/// <summary>The parts that the text formats share. Each value has one spelling, and no other is taken.</summary>
internal static class StrictText
{
    /// <summary>Most characters that are looked at: a checkpoint with a hundred cosignatures has a tenth.</summary>
    public const int LengthMax = 256 * 1024;

    /// <summary>Cuts off the next line.</summary>
    /// <param name="rest">What follows the line and its newline.</param>
    /// <param name="line">Without its newline.</param>
    /// <returns>False if there is no newline in the rest.</returns>
    public static bool TryLine(ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> line)
    {
        var end = rest.IndexOf('\n');
        line = end < 0 ? default : rest[..end];
        if (end >= 0) rest = rest[(end + 1)..];
        return end >= 0;
    }

    /// <summary>Takes a number that is not negative, in decimal, without sign or leading zero.</summary>
    public static bool TryNumber(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        return text is not [] and not ['0', _, ..]
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>Takes base64 of RFC 4648 with its padding, without white space, unused bits zero.</summary>
    public static bool TryBase64(ReadOnlySpan<char> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text.Length is 0 or > LengthMax || text.Length % 4 != 0) return false;
        var decoded = new byte[text.Length / 4 * 3];
        // The library skips white space and unused bits; what it would write itself has neither.
        if (!Convert.TryFromBase64Chars(text, decoded, out var count)) return false;
        if (!text.SequenceEqual(Convert.ToBase64String(decoded.AsSpan(0, count)))) return false;
        bytes = decoded[..count];
        return true;
    }

    /// <returns>The bytes of base64url in its one spelling: no padding, no white space, unused bits zero.</returns>
    /// <exception cref="FormatException">It is none.</exception>
    public static byte[] FromBase64Url(string? text)
    {
        // The framework takes other spellings as well: two texts, and two digests, of one thing.
        var bytes = Base64Url.DecodeFromChars(text);
        return Base64Url.EncodeToString(bytes) == text
            ? bytes : throw new FormatException("This is not the one base64url of its bytes.");
    }

    /// <summary>Takes the base64 of 32 bytes.</summary>
    public static bool TryDigest(ReadOnlySpan<char> text, out Digest digest)
    {
        digest = default;
        if (!TryBase64(text, out var bytes) || bytes.Length != Digest.Bytes) return false;
        digest = new(bytes);
        return true;
    }

    /// <returns>
    /// Whether a name can be that of a key: not empty, no Unicode space, no plus, and nothing that a note may not hold.
    /// </returns>
    public static bool IsKeyName(ReadOnlySpan<char> name)
    {
        foreach (var character in name)
        {
            if (character == '+' || char.IsWhiteSpace(character)) return false;
        }

        return !name.IsEmpty && IsNoteText(name);
    }

    /// <returns>Whether it is Unicode without control characters (below U+0020) but newline.</returns>
    public static bool IsNoteText(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out var rune, out var length) is not System.Buffers.OperationStatus.Done)
                return false;
            if (rune.Value < ' ' && rune.Value != '\n') return false;
            text = text[length..];
        }

        return true;
    }
}
