using System.Text;
using Audit;

namespace AuditTests;

/// <summary>What we write is held against Go's own packages.</summary>
public sealed class GoVerifierTests(GoVerifier go) : IClassFixture<GoVerifier>
{
    private const string Origin = "voting.example/votes-07";

    // One tile and less, the edges of tiles, and three levels of them.
    private static readonly int[] Sizes = [1, 2, 255, 256, 257, 600, 65_800];

    private static readonly NoteSigner Log = Signers.Log(Origin);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_opens_reads_and_proves_what_we_write_and_refuses_what_was_altered()
    {
        var directory = Directory.CreateTempSubdirectory("voting-go-log-");
        try
        {
            var (proofs, consistencies) = await WriteAsync(directory.FullName);

            var (code, output, errors) = await go.RunAsync(["check", directory.FullName], "");

            Assert.True(code == 0, errors);
            Assert.Equal(
                $"checkpoint-{Sizes.Length}\nproof-{proofs}\nconsistency-{consistencies}\nentries-{Sizes.Sum()}\n",
                output);

            var refused = new Dictionary<string, string>
            {
                ["checkpoint-257"] = "checkpoint-257",
                ["proof-600-299.tlog-proof"] = "proof-600-299",
                ["consistency-256-600"] = "consistency-256-600",
                ["tile/0/002.p/88"] = "checkpoint-600",
                ["tile/entries/000.p/2"] = "checkpoint-2:",
            };
            foreach (var (file, named) in refused)
            {
                var path = Path.Combine(directory.FullName, file);
                var bytes = await File.ReadAllBytesAsync(path, Cancel);
                // In a hash or signature that counts, whatever the file is.
                bytes[bytes.Length / 3] ^= 1;
                await File.WriteAllBytesAsync(path, bytes, Cancel);
                (code, _, errors) = await go.RunAsync(["check", directory.FullName], "");
                Assert.Equal(1, code);
                Assert.StartsWith(named, errors, StringComparison.Ordinal);
                bytes[bytes.Length / 3] ^= 1;
                await File.WriteAllBytesAsync(path, bytes, Cancel);
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task We_open_what_it_signs()
    {
        var checkpoint = new Checkpoint("go.example/log", 3, GrownLog.Of(3).Root);

        var (code, output, errors) = await go.RunAsync(["sign"], checkpoint.Text);

        Assert.True(code == 0, errors);
        var end = output.IndexOf('\n', StringComparison.Ordinal);
        Assert.True(VerifierKey.TryParse(output[..end], out var key));
        Assert.True(SignedCheckpoint.TryParse(output[(end + 1)..], out var signed));
        Assert.Equal(NoteVerdict.Verified, signed.Verify([key], out _));
        Assert.Equal(checkpoint, signed.Checkpoint);
    }

    /// <returns>How many proofs were written, of inclusion and of consistency.</returns>
    private static async Task<(int Proofs, int Consistencies)> WriteAsync(string directory)
    {
        var log = GrownLog.Of(Sizes[^1]);
        var (proofs, consistencies) = (0, 0);
        await WriteAsync("vkey", Log.Verifier.ToString());
        foreach (var size in Sizes)
        {
            foreach (var tile in TileId.Of(size)) await WriteBytesAsync(tile.Path, log.Tile(tile));
            foreach (var tile in TileId.Of(size).Where(tile => tile.Level == 0))
            {
                var entries = log.Entries.Skip((int)tile.Index * TileId.FullWidth).Take(tile.Width).ToArray();
                var bundle = tile with { Level = TileId.EntriesLevel };
                await WriteBytesAsync(bundle.Path, EntryBundle.Encode(entries));
            }

            // Go knows nothing of cosignatures, and ignores what it does not know.
            var checkpoint = new Checkpoint(Origin, size, log.RootAt(size));
            var cosignature = Signers.Witness("w.example/witness").Cosign(checkpoint.Text, DateTimeOffset.UnixEpoch);
            var signed = SignedCheckpoint.Sign(checkpoint, Log).With(cosignature);
            await WriteAsync($"checkpoint-{size}", signed.ToString());
            foreach (var index in new[] { 0, size / 2, size - 2, size - 1 }.Where(index => index >= 0).Distinct()
                .Append(299).Where(index => index < size).Distinct())
            {
                var path = await TreeProofs.InclusionAsync(index, size, log.ReadAsync, Cancel);
                var proof = new LogProof(log.Entries[index].ToArray(), index, path, signed);
                await WriteAsync($"proof-{size}-{index}.tlog-proof", proof.ToString());
                proofs++;
            }

            foreach (var earlier in Sizes.Where(earlier => earlier <= size))
            {
                var proof = await TreeProofs.ConsistencyAsync(earlier, size, log.ReadAsync, Cancel);
                await WriteAsync(
                    $"consistency-{earlier}-{size}", string.Concat(proof.Select(hash => $"{hash.Base64}\n")));
                consistencies++;
            }
        }

        return (proofs, consistencies);

        Task WriteAsync(string name, string text) => WriteBytesAsync(name, Encoding.UTF8.GetBytes(text));

        async Task WriteBytesAsync(string name, byte[] bytes)
        {
            var path = Path.Combine(directory, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, bytes, Cancel);
        }
    }
}
