using System.Buffers.Text;
using System.Security.Cryptography;
using Platform;

namespace Identity;

/// <summary>
/// What happens to voters, as it stands in <c>domain-events</c>: CloudEvents whose bytes are frozen by golden files.
/// </summary>
/// <remarks>
/// They are kept for years beside votes, so they name voters by a pseudonym that only this module can make: neither
/// their ids nor anything of their providers is in them, and nothing that stands with a vote is made of the pseudonym.
/// </remarks>
internal sealed class UserEvents(KeyRing keys, EventStamps stamps)
{
    public const string PseudonymKeyPurpose = "user-pseudonyms";

    private const string Source = "/identity/users";
    private const int PseudonymBytes = 16;

    /// <param name="voterId">16 bytes.</param>
    /// <param name="at">
    /// When; told to the minute only, as in receipts: the moment would lead to who voted straight afterwards.
    /// </param>
    public OutboxEvent Registered(ReadOnlySpan<byte> voterId, DateTimeOffset at)
    {
        var user = Pseudonym(voterId);
        var minute = new DateTimeOffset(at.UtcTicks - at.UtcTicks % TimeSpan.TicksPerMinute, TimeSpan.Zero);
        return Registered(stamps.New(EventActor.Voter(user), minute), user);
    }

    public static OutboxEvent Registered(EventStamp stamp, string user) => OutboxEvent.Compose(
        "user.registered", Source, $"user/{user}", stamp, json => json.WriteString("user"u8, user));

    /// <returns>Always the same for a voter: of the first secret, for good.</returns>
    public string Pseudonym(ReadOnlySpan<byte> voterId) => Base64Url.EncodeToString(
        HMACSHA256.HashData(keys.Secrets(PseudonymKeyPurpose)[^1], voterId).AsSpan(0, PseudonymBytes));
}
