using Audit;

namespace AuditTests;

/// <summary>A real witness signs what the installation publishes, over HTTP.</summary>
[Collection(ReadingCollection.Name)]
public sealed class WitnessingTests(ReadingSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_log_of_logs_is_served_with_its_witnesss_signature()
    {
        var (own, witness) = (await site.KeyAsync("checkpoints"), Witness());
        await CosignedAsync(own, witness, 1);
        var before = (await site.CheckpointAsync("checkpoints")).Checkpoint.Size;

        await site.OpenSurveyAsync();

        // It grows, and the proof from what the witness signed before is right.
        await CosignedAsync(own, witness, before + 1);
        // The other witness is away all the time; logs that only it was to sign are served all the same.
        Assert.Equal(
            NoteVerdict.Verified,
            (await site.CheckpointAsync("events")).Verify([await site.KeyAsync("events"), witness], out var signed));
        Assert.Empty(signed);
    }

    [Fact]
    public async Task A_witness_that_has_signed_another_size_than_we_know_of_goes_on_from_there()
    {
        var (own, witness) = (await site.KeyAsync("checkpoints"), Witness());
        await CosignedAsync(own, witness, 1);

        // As after a restore of the database: it answers 409, and what it says is the size to prove from.
        await using (var forget = site.Installation.Database.Source.CreateCommand("DELETE FROM audit.cosignatures"))
            await forget.ExecuteNonQueryAsync(Cancel);
        var size = (await site.CheckpointAsync("checkpoints")).Checkpoint.Size;
        await site.OpenSurveyAsync();

        await CosignedAsync(own, witness, size + 1);
    }

    private Task CosignedAsync(VerifierKey own, VerifierKey witness, long sizeMin) => site.UntilAsync(async () =>
    {
        var (status, body, _) = await site.GetAsync("/v1/audit/logs/checkpoints/checkpoint");
        if (status == 404) return false;
        Assert.True(SignedCheckpoint.TryParse(System.Text.Encoding.UTF8.GetString(body), out var served));
        Assert.Equal(NoteVerdict.Verified, served.Verify([own, witness], out var signed));
        Assert.InRange(signed.Count, 0, 1);
        return served.Checkpoint.Size >= sizeMin && signed.Count == 1;
    });

    private VerifierKey Witness() =>
        VerifierKey.TryParse(site.Witness.VerifierKey, out var key) ? key : throw new InvalidDataException();
}
