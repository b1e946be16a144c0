using System.Buffers.Binary;
using System.Text.Json;
using Platform;

namespace Audit;

/// <summary>
/// Checks one receipt against one proof, offline: the vote that the receipt promises is in the log that the proof
/// names.
/// </summary>
internal static class VerifyReceipt
{
    private const string ReceiptType = "vote-receipt+jwt";
    private const int VoteIdBytes = 16;

    /// <param name="receipt">A compact JWS; white space around it is left out.</param>
    /// <param name="proof">A <c>.tlog-proof</c>.</param>
    /// <param name="keys">Of the log, and perhaps of witnesses.</param>
    /// <param name="receiptKeys">Of receipts; null when nobody gave them: then only the proof is checked.</param>
    public static VerificationReport Run(string receipt, string proof, TrustedKeys keys, ResultKeys? receiptKeys)
    {
        var report = new VerificationReport("receipt");
        if (Check(receipt.Trim(), proof, keys, receiptKeys, report) is { } finding) report.Add(finding);
        report.Use(keys);
        return report;
    }

    private static Finding? Check(
        string receipt, string proof, TrustedKeys keys, ResultKeys? receiptKeys, VerificationReport report)
    {
        if (!ResultKeys.TryVerify(receipt, ReceiptType, receiptKeys, out var payload, out var problem))
            return Receipt($"The receipt does not hold. {problem}");
        if (!TryRead(payload, out var entry, out var partition)) return Receipt("The receipt cannot be read.");
        if (!LogProof.TryParse(proof, out var parsed)) return Proof("", null, "The proof cannot be read.");

        var (origin, size, root) = parsed.Checkpoint.Checkpoint;
        var log = LogName.Of(origin);
        if (log != SealedLogs.NameOf(partition))
            return Proof(log, parsed.Index, $"The proof is of another log than {SealedLogs.NameOf(partition)}.");
        // Not authenticated, and written to say which entry the proof is for.
        if (parsed.Extra is { } extra && !extra.AsSpan().SequenceEqual(entry.Span))
            return Proof(log, parsed.Index, "The proof is of another entry than the receipt's.");
        if (!keys.TryFind(origin, out var known)) return Proof(log, parsed.Index, $"No key of {origin} was given.");
        switch (parsed.Verify(entry, [.. known, .. keys.Witnesses], out var witnesses))
        {
            case LogProofVerdict.NoKnownKey: return Proof(log, parsed.Index, "No known key of the log signed it.");
            case LogProofVerdict.WrongSignature: return Proof(log, parsed.Index, "A signature in it is wrong.");
            case LogProofVerdict.NotIncluded:
                return Proof(log, parsed.Index, "It does not lead to the receipt's entry.");
        }

        report.Add(new VerifiedLog(log, origin, null, size, root));
        report.Note(
            $"The vote is entry {parsed.Index} of {size} in {origin}, seen by {witnesses.Count} known witnesses.");
        if (receiptKeys is null)
            report.Note("The receipt's own signature was not checked: give --jwks.");
        return null;
    }

    private static bool TryRead(byte[] payload, out Digest entry, out int partition)
    {
        (entry, partition) = (default, 0);
        try
        {
            using var json = JsonDocument.Parse(payload);
            Span<byte> vote = stackalloc byte[VoteIdBytes];
            Span<byte> digest = stackalloc byte[Digest.Bytes];
            if (!Base64Id.TryDecode(json.RootElement.GetProperty("vote_id").GetString(), vote)
                || !Base64Id.TryDecode(json.RootElement.GetProperty("event_digest").GetString(), digest))
            {
                return false;
            }

            (entry, partition) = (new(digest), BinaryPrimitives.ReadUInt16BigEndian(vote));
            return true;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return false;
        }
    }

    private static Finding Receipt(string detail) => new("", null, null, Problems.Receipt, detail);

    private static Finding Proof(string log, long? index, string detail) =>
        new(log, index, null, Problems.Proof, detail);
}
