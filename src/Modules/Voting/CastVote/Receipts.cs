using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Platform;

namespace Voting;

/// <summary>
/// Receipts: compact JWS that say that a vote was accepted, and never what it says. What is kept of one is its
/// signature and key id, from which the same receipt is composed again. Safe for use by many threads.
/// </summary>
internal sealed class Receipts(KeyRing keys, IOptions<TokenOptions> tokens)
{
    public const string KeyPurpose = "receipt";

    private const string Type = "vote-receipt+jwt";
    /// <summary>Most that is kept: a signature and the longest key id.</summary>
    public const int KeptSizeBytesMax = SignatureSizeBytes + 64;

    private const int SignatureSizeBytes = 64;

    /// <returns>What is to be kept: 64 bytes signature, then the key's id.</returns>
    public byte[] Sign(int survey, Key16 voteId, DateTimeOffset acceptedAt, byte[] entry)
    {
        var key = keys.Current(KeyPurpose);
        var signature = key.Sign(Encoding.ASCII.GetBytes(Signed(key.KeyId, survey, voteId, acceptedAt, entry)));
        return [.. signature, .. Encoding.ASCII.GetBytes(key.KeyId)];
    }

    /// <returns>The receipt, the same whenever it is composed from what was kept.</returns>
    public string Compose(Reservation vote) =>
        Compose(vote.Survey, vote.VoteId, vote.AcceptedAt, vote.Entry, vote.Receipt);

    /// <inheritdoc cref="Compose(Reservation)"/>
    public string Compose(int survey, Key16 voteId, DateTimeOffset acceptedAt, byte[] entry, ReadOnlySpan<byte> kept)
    {
        // Lost on the way to the row: signed anew, it says the same.
        if (kept.Length <= SignatureSizeBytes) kept = Sign(survey, voteId, acceptedAt, entry);
        var keyId = Encoding.ASCII.GetString(kept[SignatureSizeBytes..]);
        var signature = Base64Url.EncodeToString(kept[..SignatureSizeBytes]);
        return $"{Signed(keyId, survey, voteId, acceptedAt, entry)}.{signature}";
    }

    private string Signed(string keyId, int survey, Key16 voteId, DateTimeOffset acceptedAt, byte[] entry)
    {
        var minute = acceptedAt.ToUnixTimeSeconds() / 60 * 60;
        var payload = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            json.WriteString("iss"u8, tokens.Value.Issuer);
            json.WriteString("vote_id"u8, voteId.ToString());
            json.WriteString("survey_id"u8, survey.ToString(CultureInfo.InvariantCulture));
            json.WriteNumber("accepted_at"u8, minute);
            json.WriteString("event_digest"u8, Base64Url.EncodeToString(entry));
            json.WriteEndObject();
        }

        var header = $$"""{"alg":"ES256","typ":"{{Type}}","kid":"{{keyId}}"}""";
        var encodedHeader = Base64Url.EncodeToString(Encoding.ASCII.GetBytes(header));
        return $"{encodedHeader}.{Base64Url.EncodeToString(payload.WrittenSpan)}";
    }
}
