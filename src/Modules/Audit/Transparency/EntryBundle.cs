using System.Buffers.Binary;

namespace Audit;

/// <summary>The entries that stand under one tile of level 0, as they are served.</summary>
internal static class EntryBundle
{
    private const int LengthBytes = sizeof(ushort);
    private const int StrideBytes = LengthBytes + Digest.Bytes;

    /// <returns>Each entry after its length in two bytes.</returns>
    public static byte[] Encode(ReadOnlySpan<Digest> entries)
    {
        var bundle = new byte[entries.Length * StrideBytes];
        for (var i = 0; i < entries.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bundle.AsSpan(i * StrideBytes), Digest.Bytes);
            entries[i].Span.CopyTo(bundle.AsSpan((i * StrideBytes) + LengthBytes));
        }

        return bundle;
    }

    /// <param name="bundle">What was served.</param>
    /// <param name="width">How many entries it must hold, each of 32 bytes.</param>
    /// <param name="entries">The entries in their order; empty if the bundle is another.</param>
    public static bool TryParse(ReadOnlySpan<byte> bundle, int width, out Digest[] entries)
    {
        entries = [];
        if (bundle.Length != (long)width * StrideBytes) return false;
        var found = new Digest[width];
        for (var i = 0; i < width; i++)
        {
            var entry = bundle.Slice(i * StrideBytes, StrideBytes);
            if (BinaryPrimitives.ReadUInt16BigEndian(entry) != Digest.Bytes) return false;
            found[i] = new(entry[LengthBytes..]);
        }

        entries = found;
        return true;
    }
}
