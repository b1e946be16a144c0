using System.Security.Cryptography;

namespace AuditTests;

/// <summary>RFC 6962, section 2.1, word for word, slow. Shares no code with the product.</summary>
internal static class NaiveTree
{
    /// <summary>MTH(D).</summary>
    public static byte[] Root(ReadOnlySpan<byte[]> entries)
    {
        if (entries.Length == 0) return SHA256.HashData([]);
        if (entries.Length == 1) return SHA256.HashData([0, .. entries[0]]);
        var k = LargestPowerBelow(entries.Length);
        return SHA256.HashData([1, .. Root(entries[..k]), .. Root(entries[k..])]);
    }

    /// <summary>PATH(m, D).</summary>
    public static byte[][] Path(int m, ReadOnlySpan<byte[]> entries)
    {
        if (entries.Length == 1) return [];
        var k = LargestPowerBelow(entries.Length);
        return m < k
            ? [.. Path(m, entries[..k]), Root(entries[k..])]
            : [.. Path(m - k, entries[k..]), Root(entries[..k])];
    }

    /// <summary>PROOF(m, D).</summary>
    public static byte[][] Proof(int m, ReadOnlySpan<byte[]> entries) => SubProof(m, entries, true);

    private static byte[][] SubProof(int m, ReadOnlySpan<byte[]> entries, bool whole)
    {
        if (m == entries.Length) return whole ? [] : [Root(entries)];
        var k = LargestPowerBelow(entries.Length);
        return m <= k
            ? [.. SubProof(m, entries[..k], whole), Root(entries[k..])]
            : [.. SubProof(m - k, entries[k..], false), Root(entries[..k])];
    }

    private static int LargestPowerBelow(int n)
    {
        var k = 1;
        while (k * 2 < n) k *= 2;
        return k;
    }
}
