using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>
/// How much a caller may ask for. Section <c>Limits</c>; over all processes where they share a Redis, else in each.
/// </summary>
internal sealed class LimitOptions
{
    /// <summary>
    /// Requests a second from one address. A mobile network shows thousands of phones as one, so it is generous.
    /// </summary>
    [Range(1, 1_000_000)]
    public int AddressPerSecond { get; set; } = 2_000;

    /// <summary>Requests at once from one address.</summary>
    [Range(1, 1_000_000)]
    public int AddressBurst { get; set; } = 10_000;

    /// <summary>Requests a second of one voter.</summary>
    [Range(1, 100_000)]
    public int VoterPerSecond { get; set; } = 10;

    /// <summary>Requests at once of one voter.</summary>
    [Range(1, 100_000)]
    public int VoterBurst { get; set; } = 100;

    /// <summary>Requests a second from one device, for whichever voters.</summary>
    [Range(1, 100_000)]
    public int DevicePerSecond { get; set; } = 10;

    /// <summary>Requests at once from one device.</summary>
    [Range(1, 100_000)]
    public int DeviceBurst { get; set; } = 100;
}
