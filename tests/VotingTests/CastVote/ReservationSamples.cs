using System.Security.Cryptography;
using Voting;

namespace VotingTests;

/// <summary>Reservations as casting makes them.</summary>
internal static class ReservationSamples
{
    private const int ReceiptBytes = 64 + 22;

    public static Reservation Some() => new(
        7, RandomKey(), RandomKey(), new DateTimeOffset(2026, 5, 1, 12, 0, 0, 123, TimeSpan.Zero),
        RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(ReceiptBytes), null);

    public static Reservation[] Some(int count) => [.. Enumerable.Range(0, count).Select(_ => Some())];

    /// <returns>Another ballot of the same voter.</returns>
    public static Reservation Another(Reservation place) => place with
    {
        VoteId = RandomKey(),
        Entry = RandomNumberGenerator.GetBytes(32),
        Receipt = RandomNumberGenerator.GetBytes(ReceiptBytes),
        Idempotency = RandomKey(),
    };

    private static Key16 RandomKey() => Key16.Of(RandomNumberGenerator.GetBytes(16));
}
