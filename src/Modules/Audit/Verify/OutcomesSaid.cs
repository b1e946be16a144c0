using System.Runtime.InteropServices;

namespace Audit;

/// <summary>
/// Which outcome was said for which offset, by 8 bytes of its digest each: finds one that is said again and differs.
/// What counts is the first in any case. Not thread safe.
/// </summary>
internal sealed class OutcomesSaid
{
    private const int PageBits = 16;
    private const long PageMask = (1 << PageBits) - 1;

    private readonly Dictionary<long, ulong[]> _pages = [];
    private long _newest = -1;
    private ulong[] _page = [];

    /// <param name="offset">Higher than all before.</param>
    /// <param name="digest">Of the outcome.</param>
    public void Add(long offset, in Digest digest)
    {
        if (offset >> PageBits != _newest)
        {
            _newest = offset >> PageBits;
            _pages.Add(_newest, _page = new ulong[1 << PageBits]);
        }

        _page[offset & PageMask] = Short(digest);
    }

    public bool Is(long offset, in Digest digest) =>
        _pages.TryGetValue(offset >> PageBits, out var page) && page[offset & PageMask] == Short(digest);

    private static ulong Short(in Digest digest) => MemoryMarshal.Read<ulong>(digest.Span);
}
