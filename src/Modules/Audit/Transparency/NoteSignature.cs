using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Audit;

/// <summary>One signature line of a note.</summary>
/// <param name="Name">The key's name.</param>
/// <param name="KeyId">The key's id.</param>
/// <param name="Bytes">What follows the id; at least one byte.</param>
internal sealed record NoteSignature(string Name, uint KeyId, ReadOnlyMemory<byte> Bytes)
{
    private const string Start = "— ";
    private const int IdBytes = sizeof(uint);

    /// <summary>The line with its newline.</summary>
    public string Line
    {
        get
        {
            var bytes = new byte[IdBytes + Bytes.Length];
            BinaryPrimitives.WriteUInt32BigEndian(bytes, KeyId);
            Bytes.Span.CopyTo(bytes.AsSpan(IdBytes));
            return $"{Start}{Name} {Convert.ToBase64String(bytes)}\n";
        }
    }

    /// <summary>When a witness saw the checkpoint: seconds since 1970. Zero in a short signature.</summary>
    public ulong WitnessTime =>
        BinaryPrimitives.TryReadUInt64BigEndian(Bytes.Span, out var unixSeconds) ? unixSeconds : 0;

    /// <summary>Takes a line without its newline.</summary>
    public static bool TryParse(ReadOnlySpan<char> line, [NotNullWhen(true)] out NoteSignature? signature)
    {
        signature = null;
        if (!line.StartsWith(Start, StringComparison.Ordinal)) return false;
        line = line[Start.Length..];
        var space = line.IndexOf(' ');
        if (space < 0 || !StrictText.IsKeyName(line[..space])) return false;
        if (!StrictText.TryBase64(line[(space + 1)..], out var bytes) || bytes.Length <= IdBytes) return false;

        signature = new(
            line[..space].ToString(), BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes.AsMemory(IdBytes));
        return true;
    }

    public bool Equals(NoteSignature? other) => other is not null
        && Name == other.Name && KeyId == other.KeyId && Bytes.Span.SequenceEqual(other.Bytes.Span);

    public override int GetHashCode() => HashCode.Combine(Name, KeyId);
}
