using System.Net;
using System.Runtime.InteropServices;

namespace Platform;

/// <summary>
/// Counts what is open at the same time, in all and by the client's address, so that no address takes all the room.
/// Thread-safe.
/// </summary>
/// <param name="countMax">Most that may be open.</param>
/// <param name="countPerAddressMax">Most of them for one address; of IPv6 for a network of 64 bits.</param>
public sealed class OpenByAddress(int countMax, int countPerAddressMax)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, int> _counts = [];
    private int _count;

    /// <summary>Takes a place.</summary>
    /// <param name="address">Whose; those without an address are taken for one.</param>
    /// <param name="caller">What <see cref="Close"/> is to be given once it is over.</param>
    /// <returns>False if there is no room: then nothing was taken.</returns>
    public bool TryOpen(IPAddress? address, out UInt128 caller)
    {
        caller = address is null ? 0 : AddressLimit.CallerOf(address);
        lock (_gate)
        {
            if (_count >= countMax) return false;
            ref var own = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, caller, out _);
            if (own >= countPerAddressMax) return false;
            own++;
            _count++;
            return true;
        }
    }

    /// <summary>Gives a place back that was taken.</summary>
    public void Close(UInt128 caller)
    {
        lock (_gate)
        {
            _count--;
            ref var own = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, caller, out _);
            // Who has nothing open is forgotten.
            if (--own == 0) _counts.Remove(caller);
        }
    }
}
