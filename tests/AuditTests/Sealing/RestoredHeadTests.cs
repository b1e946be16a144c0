using System.Text;
using Audit;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>Archive and database that do not agree: what was signed is taken over, or nothing more is signed.</summary>
public sealed class RestoredHeadTests(Postgres postgres) : IDisposable
{
    private static readonly SealedLog Log = SealingSite.Logs.Votes[0];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-sealing-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DirectoryArchive Store => new(_directory.FullName);

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("put segment", false)]
    [InlineData("put checkpoint", false)]
    [InlineData("put checkpoint", true)]
    [InlineData("never", false)]
    public async Task An_older_backup_takes_over_what_the_archive_holds(string backedUpAt, bool isDone)
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(30);
        site.Start();
        await site.SettledAsync();
        var gate = new Gate(Store);
        var came = isDone ? gate.HoldAfter(backedUpAt, Log.Folder) : gate.HoldBefore(backedUpAt, Log.Folder);
        await site.RestartAsync(gate);
        await site.AppendEverywhereAsync(20);
        if (backedUpAt != "never") await came.WaitAsync(SealingSite.Patience, Cancel);
        await site.BackUpAsync();

        await site.RestartAsync();
        await site.AppendEverywhereAsync(100);
        await site.SettledAsync();
        await site.EndAllAsync();
        var before = await DocumentsAsync(site);
        await site.RestoreAsync();
        var auditor = site.Start();
        await site.AppendEverywhereAsync(10);
        await site.SettledAsync();

        await SealedArchive.AssertAllAsync(site, auditor);
        var after = await DocumentsAsync(site);
        Assert.All(before, one => Assert.Contains(one, after));
    }

    [Fact]
    public async Task A_database_that_lost_everything_takes_over_the_whole_archive()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.BackUpAsync();
        site.Start();
        for (var i = 0; i < 3; i++)
        {
            await site.AppendEverywhereAsync(70);
            await site.SettledAsync();
        }

        await site.EndAllAsync();
        await site.RestoreAsync();
        var auditor = site.Start();
        await site.SettledAsync();

        await SealedArchive.AssertAllAsync(site, auditor);
    }

    [Fact]
    public async Task What_others_put_under_higher_numbers_hides_nothing_and_stops_nothing()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(30);
        site.Start();
        await site.SettledAsync();
        await site.BackUpAsync();
        await site.AppendEverywhereAsync(30);
        await site.SettledAsync();
        await site.EndAllAsync();
        var newest = await NewestAsync();
        var wrapped = CheckpointDocument.Sign(newest.Statement with { Number = 700 }, Signers.Log("stranger.example"));
        await PutAsync(700, wrapped.Bytes.ToArray());
        await PutAsync(500, newest.Bytes.ToArray());
        await PutAsync(600, "{}"u8.ToArray());
        await PutAsync(newest.Statement.Number, "{}"u8.ToArray());
        await site.RestoreAsync();

        var auditor = site.Start();
        await site.SettledAsync();
        await site.AppendEverywhereAsync(30);
        await site.SettledAsync();

        var archive = await SealedArchive.ReadAsync(Store, Log, isPure: false);
        archive.AssertHoldsOnce(site);
        await archive.AssertIsInTablesAsync(site, auditor.Heads, auditor.Tiles);
    }

    [Theory]
    [InlineData("fork", "both signed by this log")]
    [InlineData("other", "is another in the archive than in the database")]
    [InlineData("gone", "does not hold checkpoint")]
    [InlineData("key", "signed by a key that is not here")]
    public async Task An_archive_that_contradicts_the_head_ends_the_process(string what, string says)
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(30);
        site.Start();
        await site.SettledAsync();
        await site.EndAllAsync();
        var newest = await NewestAsync();
        var other = newest.Statement with { LastHash = Digest.Of("other"u8) };
        var file = FileOf(ArchiveKey.Checkpoint(Log.Folder, newest.Statement.Number));
        if (what is "other" or "gone") file.Delete();
        if (what is "other" or "fork")
            await PutAsync(other.Number, CheckpointDocument.Sign(other, Signers.Log(Log.Origin)).Bytes.ToArray());
        // The note is of this log's key, and the document around it of one that was added since.
        if (what is "key")
            await PutAsync(other.Number + 1, LaterKey(newest.Statement).Bytes.ToArray());

        await AssertStopsAsync(site, says);
    }

    [Theory]
    [InlineData("gap", "holds no checkpoint")]
    [InlineData("order", "does not continue the one before")]
    [InlineData("segment", "has other bytes than its checkpoint says")]
    [InlineData("lost", "does not hold the segment")]
    public async Task An_archive_that_is_ahead_and_damaged_is_not_taken_over(string what, string says)
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        site.Start();
        await site.BackUpAsync();
        for (var i = 0; i < 4; i++)
        {
            await site.AppendEverywhereAsync(5);
            await site.SettledAsync();
        }

        await site.EndAllAsync();
        var damaged = FileOf(what is "segment" or "lost"
            ? ArchiveKey.Segment(Log.Folder, 2) : ArchiveKey.Checkpoint(Log.Folder, 2));
        var bytes = await File.ReadAllBytesAsync(damaged.FullName, Cancel);
        damaged.Delete();
        bytes[bytes.Length / 2] ^= 1;
        if (what is "segment") await File.WriteAllBytesAsync(damaged.FullName, bytes, Cancel);
        if (what is "order")
        {
            var later = FileOf(ArchiveKey.Checkpoint(Log.Folder, 3)).FullName;
            Assert.True(CheckpointDocument.TryParse(await File.ReadAllBytesAsync(later, Cancel), out var third));
            await PutAsync(2, CheckpointDocument.Sign(
                third.Statement with { Number = 2 }, Signers.Log(Log.Origin)).Bytes.ToArray());
        }

        await site.RestoreAsync();
        await AssertStopsAsync(site, says);
    }

    [Fact]
    public async Task Another_installation_with_the_same_keys_does_not_seal_into_the_archive()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(30);
        site.Start();
        await site.SettledAsync();
        await site.EndAllAsync();

        await using var copy = await SealingSite.OpenAsync(postgres, Store);
        await copy.AppendEverywhereAsync(5);
        await AssertStopsAsync<InvalidOperationException>(copy, "has lost records");
    }

    [Fact]
    public async Task Records_that_went_before_they_were_archived_end_the_process()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendAsync(VoteTopics.Votes, 0, 10);
        await site.ExecuteAsync("SELECT platform.log_trim('votes', 0, interval '-1 hour', 10)");

        await AssertStopsAsync<InvalidOperationException>(site, "never archived");
    }

    [Fact]
    public async Task A_log_with_two_keys_signs_with_both()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(5);
        var old = new VerifierKey[] { Signers.Log(Log.Origin).Verifier };
        site.Start(signers: log => [LaterSigner(log.Origin), Signers.Log(log.Origin)]);
        await site.SettledAsync();

        var later = LaterSigner(Log.Origin).Verifier;
        var document = Assert.IsType<CheckpointDocument>(
            await new ArchivedLog(Log, _ => [later, .. old], Store).NewestAsync(0, 0, Cancel));
        var number = document.Statement.Number;
        Assert.Equal(2, document.Statement.Note.Note.Signatures.Count);
        Assert.True(document.IsNotedBy(old));
        Assert.False(document.IsSignedBy(old));
        Assert.True(document.IsSignedBy([later]));

        // Retired at that checkpoint, it speaks for none behind: whoever got hold of it adds nothing.
        await site.EndAllAsync();
        var stolen = document.Statement with
        {
            Number = number + 1,
            Note = SignedCheckpoint.Sign(
                document.Statement.Note.Checkpoint with { Size = 2 * document.Statement.Size },
                Signers.Log(Log.Origin)),
            Previous = document.Digest,
        };
        await PutAsync(number + 1, CheckpointDocument.Sign(stolen, Signers.Log(Log.Origin)).Bytes.ToArray());
        var archived = new ArchivedLog(Log, at => at <= number ? [later, .. old] : [later], Store);
        Assert.Equal(document.Digest, (await archived.NewestAsync(0, 0, Cancel))?.Digest);
        Assert.Equal(number + 1, (await NewestAsync()).Statement.Number);
    }

    /// <summary>It ends by itself, and the archive is as it was.</summary>
    private Task AssertStopsAsync(SealingSite site, string says) =>
        AssertStopsAsync<ArchiveContradictionException>(site, says);

    private async Task AssertStopsAsync<T>(SealingSite site, string says)
        where T : Exception
    {
        var before = await DocumentsAsync(site);
        var failure = Assert.IsType<T>(await site.Start().FailureAsync());
        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        await site.EndAllAsync();
        var after = await DocumentsAsync(site);
        Assert.Equal(before.Where(IsOfLog), after.Where(IsOfLog));

        bool IsOfLog(string document) => document.StartsWith(Log.Folder, StringComparison.Ordinal);
    }

    /// <summary>Signed by a key that came later than those that are known; the note by a known one.</summary>
    private static CheckpointDocument LaterKey(CheckpointStatement statement)
    {
        var next = statement with
        {
            Number = statement.Number + 1,
            Note = SignedCheckpoint.Sign(
                statement.Note.Checkpoint with { Size = statement.Size + statement.Entries },
                LaterSigner(Log.Origin), Signers.Log(Log.Origin)),
            Previous = Digest.Of("previous"u8),
        };
        return CheckpointDocument.Sign(next, LaterSigner(Log.Origin));
    }

    private static NoteSigner LaterSigner(string origin)
    {
        var key = NSec.Cryptography.Key.Import(
            NSec.Cryptography.SignatureAlgorithm.Ed25519,
            System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"later {origin}")),
            NSec.Cryptography.KeyBlobFormat.RawPrivateKey);
        return new(
            VerifierKey.Of(NoteKeyType.Log, origin, key.Export(NSec.Cryptography.KeyBlobFormat.RawPublicKey)),
            message => NSec.Cryptography.SignatureAlgorithm.Ed25519.Sign(key, message));
    }

    private async Task<CheckpointDocument> NewestAsync() => Assert.IsType<CheckpointDocument>(
        await new ArchivedLog(Log, _ => [Signers.Log(Log.Origin).Verifier], Store).NewestAsync(0, 0, Cancel));

    private Task<ArchivedVersion> PutAsync(long number, byte[] content) => Store.PutAsync(
        ArchiveKey.Checkpoint(Log.Folder, number), content, CheckpointDocument.ContentType, Cancel);

    private FileInfo FileOf(string key) => new(Path.Combine(_directory.FullName, key));

    /// <returns>Every checkpoint that lies in the archive, with the digest of its bytes.</returns>
    private static async Task<List<string>> DocumentsAsync(SealingSite site)
    {
        var documents = new List<string>();
        await foreach (var version in site.Store.ListAsync("", Cancel))
        {
            if (version.Key.EndsWith(".json", StringComparison.Ordinal))
                documents.Add($"{version.Key} {version.VersionId}");
        }

        return documents;
    }
}
