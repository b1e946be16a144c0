using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
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
    private const int PayloadSizeBytesMax = 3 * 1024;

    private readonly JsonEncodedText _issuer = JsonEncodedText.Encode(tokens.Value.Issuer);
    private volatile KnownHeader _header = new("", "");

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
        Span<byte> payload = stackalloc byte[PayloadSizeBytesMax];
        if (!Utf8.TryWrite(payload, CultureInfo.InvariantCulture,
            $$"""{"iss":"{{_issuer}}","vote_id":"{{voteId}}","survey_id":"{{survey}}","accepted_at":{{minute}},""",
            out var length)
            || !Utf8.TryWrite(payload[length..], $$"""
                "event_digest":"{{Base64Url.EncodeToString(entry)}}"}
                """, out var rest))
        {
            throw new UnreachableException("The issuer's length is limited.");
        }

        return $"{Header(keyId)}.{Base64Url.EncodeToString(payload[..(length + rest)])}";
    }

    private string Header(string keyId)
    {
        // One key signs nearly everything that is composed.
        var header = _header;
        if (header.KeyId == keyId) return header.Text;
        var text = Base64Url.EncodeToString(
            Encoding.ASCII.GetBytes($$"""{"alg":"ES256","typ":"{{Type}}","kid":"{{keyId}}"}"""));
        _header = new(keyId, text);
        return text;
    }

    private sealed record KnownHeader(string KeyId, string Text);
}
