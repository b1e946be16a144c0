using Audit;
using CsCheck;

namespace AuditTests;

public sealed class CheckpointTests
{
    private const string Origin = "voting.example/votes-07";

    private static readonly NoteSigner Log = Signers.Log(Origin);
    private static readonly NoteSigner Elsewhere = Signers.Log("voting.example/votes-08");
    private static readonly NoteSigner Witness = Signers.Witness("w.example/witness");
    private static readonly VerifierKey[] Known = [Log.Verifier, Elsewhere.Verifier, Witness.Verifier];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(300)]
    public void A_checkpoint_has_three_lines_and_comes_back_from_them(int size)
    {
        var tree = GrownLog.Of(size);
        var checkpoint = new Checkpoint(Origin, size, tree.Root);

        Assert.Equal($"{Origin}\n{size}\n{Convert.ToBase64String(tree.Root.Span)}\n", checkpoint.Text);
        Assert.True(Checkpoint.TryParse(checkpoint.Text, out var read));
        Assert.Equal(checkpoint, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("o\n1\n")]
    [InlineData("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n")]
    [InlineData("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nmore\n")]
    [InlineData("\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o+o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n+1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    [InlineData("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n")]
    [InlineData("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n")]
    [InlineData("o\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]
    public void What_is_no_checkpoint_is_refused(string text)
    {
        Assert.True(Checkpoint.TryParse("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", out _));
        Assert.False(Checkpoint.TryParse(text, out _));
    }

    [Fact]
    public void A_log_speaks_for_itself_alone()
    {
        var checkpoint = new Checkpoint(Origin, 3, GrownLog.Of(3).Root);
        var cosigned = SignedCheckpoint.Sign(checkpoint, Log)
            .With(Witness.Cosign(checkpoint.Text, DateTimeOffset.UnixEpoch));
        Assert.True(SignedCheckpoint.TryParse(cosigned.ToString(), out var read));
        Assert.Equal(NoteVerdict.Verified, read.Verify(Known, out var witnesses));
        Assert.Equal([Witness.Verifier], witnesses);

        Assert.Throws<ArgumentException>(() => SignedCheckpoint.Sign(checkpoint, Elsewhere));
        // Signed by a key that is known, though not for this log; then by a witness alone.
        Assert.True(SignedCheckpoint.TryParse(SignedNote.Sign(checkpoint.Text, Elsewhere).ToString(), out var foreign));
        Assert.Equal(NoteVerdict.NoKnownKey, foreign.Verify(Known, out _));
        Assert.Equal(NoteVerdict.NoKnownKey, read.Verify([Witness.Verifier], out witnesses));
        Assert.Empty(witnesses);
        Assert.False(SignedCheckpoint.TryParse(SignedNote.Sign("a\n", Log).ToString(), out _));
    }

    [Theory]
    [InlineData(1, 0, false)]
    [InlineData(2, 1, true)]
    [InlineData(300, 299, true)]
    public async Task A_proof_file_comes_back_and_proves_its_entry_alone(int size, int index, bool extra)
    {
        var (log, file) = await ProofAsync(size, index, extra);
        Assert.StartsWith("c2sp.org/tlog-proof@v1\n", file, StringComparison.Ordinal);
        Assert.True(LogProof.TryParse(file, out var proof));

        Assert.Equal(file, proof.ToString());
        Assert.Equal(extra ? log.Entries[index].ToArray() : null, proof.Extra);
        Assert.Equal(LogProofVerdict.Verified, proof.Verify(log.Entries[index], Known, out var witnesses));
        Assert.Equal([Witness.Verifier], witnesses);
        Assert.Equal(LogProofVerdict.NotIncluded, proof.Verify(GrownLog.Entry(size), Known, out witnesses));
        Assert.Empty(witnesses);
        Assert.Equal(LogProofVerdict.NoKnownKey, proof.Verify(log.Entries[index], [Elsewhere.Verifier], out _));
        var forged = proof with { Index = index == 0 ? 1 : index - 1 };
        Assert.Equal(LogProofVerdict.NotIncluded, forged.Verify(log.Entries[index], Known, out _));
    }

    [Fact]
    public async Task A_proof_with_a_forged_signature_is_refused()
    {
        var (log, file) = await ProofAsync(3, 1, extra: true);
        Assert.True(LogProof.TryParse(file, out var proof));
        var other = new Checkpoint(Origin, 3, GrownLog.Of(2).Root);
        var forged = SignedNote.Sign(other.Text, Elsewhere)
            .With(proof.Checkpoint.Note.Signatures[0]).ToString();
        Assert.True(SignedCheckpoint.TryParse(forged, out var checkpoint));

        Assert.Equal(
            LogProofVerdict.WrongSignature,
            (proof with { Checkpoint = checkpoint }).Verify(log.Entries[1], Known, out _));
    }

    [Fact]
    public async Task What_is_no_proof_file_is_refused()
    {
        var (_, file) = await ProofAsync(3, 1, extra: true);
        var (header, extra, index) = (file.Split('\n')[0], file.Split('\n')[1], file.Split('\n')[2]);
        string[] spoilt =
        [
            file.Replace(header, "c2sp.org/tlog-proof@v2", StringComparison.Ordinal),
            file.Replace($"{index}\n", "", StringComparison.Ordinal),
            file.Replace($"{index}\n", "index 3\n", StringComparison.Ordinal),
            file.Replace($"{index}\n", "index 01\n", StringComparison.Ordinal),
            file.Replace($"{index}\n", "index  1\n", StringComparison.Ordinal),
            file.Replace($"{extra}\n", $"{extra}\n{extra}\n", StringComparison.Ordinal),
            file.Replace($"{extra}\n", "extra \n", StringComparison.Ordinal),
            file.Replace($"{extra}\n", "extra AB==\n", StringComparison.Ordinal),
            file.Replace($"{extra}\n{index}\n", $"{index}\n{extra}\n", StringComparison.Ordinal),
            file.Replace($"{index}\n", $"{index}\n\n", StringComparison.Ordinal),
            file.Replace($"{index}\n", $"{index}\nAAAA\n", StringComparison.Ordinal),
            file.Replace("\n", "\r\n", StringComparison.Ordinal),
            $"\n{file}", $"{file}\n", $"{file}more", file[..^1], "",
        ];
        Assert.All(spoilt, text => Assert.False(LogProof.TryParse(text, out _), text));
        var hashes = string.Concat(Enumerable.Repeat($"{TreeHash.Empty.Base64}\n", 64));
        Assert.False(LogProof.TryParse(
            file.Replace($"{index}\n", $"{index}\n{hashes}", StringComparison.Ordinal), out _));
    }

    [Fact]
    public async Task Whatever_is_read_as_a_proof_file_is_written_the_same()
    {
        var (log, file) = await ProofAsync(7, 5, extra: true);
        Mutations.Gen.Array[1, 3].Sample(mutations =>
        {
            var altered = mutations.Aggregate(file, (text, mutation) => mutation.Of(text));
            if (!LogProof.TryParse(altered, out var proof)) return;
            Assert.Equal(altered, proof.ToString());
            // Whatever else was altered, it proves no other entry and no other place.
            var verdict = proof.Verify(log.Entries[5], Known, out _);
            if (verdict is LogProofVerdict.Verified) Assert.Equal(5, proof.Index);
            Assert.NotEqual(LogProofVerdict.Verified, proof.Verify(log.Entries[4], Known, out _));
        });
    }

    [Fact]
    public async Task A_witness_is_asked_and_answers()
    {
        var log = GrownLog.Of(9);
        var checkpoint = SignedCheckpoint.Sign(new(Origin, 9, log.Root), Log);
        var proof = await TreeProofs.ConsistencyAsync(5, 9, log.ReadAsync, Cancel);
        var body = new WitnessRequest(5, proof, checkpoint).ToString();

        Assert.StartsWith("old 5\n", body, StringComparison.Ordinal);
        Assert.True(WitnessRequest.TryParse(body, out var request));
        Assert.Equal(body, request.ToString());
        Assert.Equal(proof, request.Proof);
        Assert.False(WitnessRequest.TryParse(body[1..], out _));
        Assert.False(WitnessRequest.TryParse(body.Replace("old 5", "old 05", StringComparison.Ordinal), out _));
        Mutations.Gen.Array[1, 3].Sample(mutations =>
        {
            var altered = mutations.Aggregate(body, (text, mutation) => mutation.Of(text));
            if (WitnessRequest.TryParse(altered, out var read)) Assert.Equal(altered, read.ToString());
        });

        var text = checkpoint.Checkpoint.Text;
        var answer = Witness.Cosign(text, DateTimeOffset.UnixEpoch).Line;
        var others = Signers.Witness("other.example/witness").Cosign(text, DateTimeOffset.UnixEpoch).Line;
        Assert.True(Taken(answer + others));
        Assert.False(Taken(others));
        Assert.False(Taken(""));
        Assert.False(Taken(answer[..^1]));
        Assert.False(Taken(answer + "\n"));
        Assert.False(Taken(answer + Witness.Cosign("other\n", DateTimeOffset.UnixEpoch).Line));

        bool Taken(string lines) => WitnessAnswer.TryCosignatures(
            lines, checkpoint.Checkpoint, Witness.Verifier, out var cosignatures) && cosignatures.Count == 1;
    }

    [Theory]
    [InlineData("0\n", 0)]
    [InlineData("12\n", 12)]
    [InlineData("12", null)]
    [InlineData("012\n", null)]
    [InlineData("12\n\n", null)]
    [InlineData("", null)]
    public void A_witnesss_size_has_one_spelling(string body, int? size)
    {
        Assert.Equal(size is not null, WitnessAnswer.TrySize(body, out var read));
        if (size is not null) Assert.Equal((size, body), ((int)read, WitnessAnswer.Size(read)));
    }

    private static async Task<(GrownLog Log, string File)> ProofAsync(int size, int index, bool extra)
    {
        var log = GrownLog.Of(size);
        var checkpoint = new Checkpoint(Origin, size, log.Root);
        var signed = SignedCheckpoint.Sign(checkpoint, Log)
            .With(Witness.Cosign(checkpoint.Text, DateTimeOffset.FromUnixTimeSeconds(1_700_000_000)));
        var path = await TreeProofs.InclusionAsync(index, size, log.ReadAsync, Cancel);
        return (log, new LogProof(extra ? log.Entries[index].ToArray() : null, index, path, signed).ToString());
    }
}
