using System.Buffers.Text;
using Audit;

namespace AuditTests;

/// <summary>One receipt against one proof, as a voter's own software would: offline.</summary>
public sealed class ReceiptTests
{
    private const string Log = "votes-03";

    private static readonly NoteSigner Signer = ArchivedElection.Signer(Log);
    private static readonly byte[][] Entries = [.. Enumerable.Range(0, 11).Select(i => Digest.Of([(byte)i]).ToArray())];

    private static string Receipt(byte[] entry, int partition = 3) => Election.Jws("vote-receipt+jwt", $$"""
        {"iss":"http://x","vote_id":"{{Partition.Text16(1, partition)}}","survey_id":"7","accepted_at":60,
        "event_digest":"{{Base64Url.EncodeToString(entry)}}"}
        """);

    private static LogProof Proof(int index = 5, byte[]? extra = null, NoteSigner? signer = null) => new(
        extra, index, [.. NaiveTree.Path(index, Entries).Select(hash => new Digest(hash))],
        SignedCheckpoint.Sign(
            new((signer ?? Signer).Verifier.Name, Entries.Length, new(NaiveTree.Root(Entries))), signer ?? Signer));

    private static VerificationReport Verify(string receipt, string proof, bool hasJwks = true) => VerifyReceipt.Run(
        receipt, proof, new([Signer.Verifier], []), hasJwks ? ResultKeys.Parse(Election.Jwks) : null);

    [Fact]
    public void A_receipt_whose_vote_is_in_the_log_is_verified()
    {
        Assert.Empty(Verify($"{Receipt(Entries[5])}\n", Proof(extra: Entries[5]).ToString()).Findings);
        Assert.Empty(Verify(Receipt(Entries[5]), Proof().ToString()).Findings);
    }

    [Fact]
    public void Without_keys_of_receipts_the_report_says_what_was_not_checked()
    {
        var report = Verify(Receipt(Entries[5])[..^2] + "AA", Proof().ToString(), hasJwks: false);

        Assert.True(report.Holds);
        Assert.Contains("--jwks", report.ToText(default, 0), StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        var (good, proof) = (Receipt(Entries[5]), Proof().ToString());

        Assert.Equal(Problems.Receipt, First(Verify("x", proof)));
        Assert.Equal(Problems.Receipt, First(Verify(good[..^2] + "AA", proof)));
        Assert.Equal(Problems.Receipt, First(Verify(Election.Jws("at+jwt", "{}"), proof)));
        Assert.Equal(Problems.Receipt, First(Verify(Election.Jws("vote-receipt+jwt", "{}"), proof)));
        Assert.Equal(Problems.Proof, First(Verify(good, "x")));
        Assert.Equal(Problems.Proof, First(Verify(Receipt(Entries[4]), proof)));
        Assert.Equal(Problems.Proof, First(Verify(Receipt(Entries[5], partition: 4), proof)));
        Assert.Equal(Problems.Proof, First(Verify(good, Proof(4).ToString())));
        Assert.Equal(Problems.Proof, First(Verify(good, Proof(extra: Entries[4]).ToString())));
        Assert.Equal(Problems.Proof, First(Verify(good, Proof(signer: Signers.Log($"evil.example/{Log}")).ToString())));
        Assert.Equal(Problems.Proof, First(Verify(good, proof.Replace("x 5", "x 4", StringComparison.Ordinal))));
    }

    private static string First(VerificationReport report) => report.Findings[0].Problem;
}
