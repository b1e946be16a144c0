using Audit;
using Testing;

namespace AuditTests;

/// <summary>A writer that knows of no other, whose checkpoint comes to the archive just before it signs.</summary>
public sealed class SignedMeanwhileTests(Postgres postgres) : IDisposable
{
    private static readonly SealedLog Log = SealingSite.Logs.Votes[0];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-sealing-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DirectoryArchive Store => new(_directory.FullName);

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task A_checkpoint_that_appears_before_it_signs_is_taken_over_and_none_is_signed_beside_it()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(30);
        site.Start();
        await site.SettledAsync();
        await site.EndAllAsync();
        await site.BackUpAsync();
        var known = Checkpoints();
        await site.AppendEverywhereAsync(10);
        site.Start();
        await site.SettledAsync();
        await site.EndAllAsync();
        // What the other writer signed lies elsewhere until then, and the database does not know of it.
        var theirs = Checkpoints().Except(known).ToDictionary(key => key, key => File.ReadAllBytes(PathOf(key)));
        Assert.NotEmpty(theirs);
        foreach (var key in theirs.Keys) File.Delete(PathOf(key));
        await site.RestoreAsync();

        var (gate, appeared) = (new Gate(Store), 0);
        gate.After = async (request, key, cancel) =>
        {
            if (request != "put segment" || !key.StartsWith($"{Log.Folder}/", StringComparison.Ordinal)
                || Interlocked.Exchange(ref appeared, 1) != 0)
            {
                return;
            }

            // The newest one first: whoever sees it finds those before it.
            foreach (var (checkpoint, bytes) in theirs.OrderByDescending(one => one.Key, StringComparer.Ordinal))
                await Store.PutAsync(checkpoint, bytes, CheckpointDocument.ContentType, cancel);
        };
        // More than the other writer knew of: it would sign something else.
        await site.AppendEverywhereAsync(7);
        var auditor = site.Start(gate);
        await site.SettledAsync();

        Assert.Equal(1, appeared);
        foreach (var (key, bytes) in theirs)
        {
            var version = Assert.Single(await Store.ListAsync(key, Cancel).ToListAsync(Cancel));
            Assert.Equal(bytes, (await Store.ReadAsync(key, version.VersionId, Cancel))!.Bytes);
        }

        var archive = await SealedArchive.ReadAsync(Store, Log, isPure: false);
        archive.AssertHoldsOnce(site);
        await archive.AssertIsInTablesAsync(site, auditor.Heads, auditor.Tiles);
    }

    /// <returns>Keys of the log's checkpoints.</returns>
    private string[] Checkpoints() => [.. Directory
        .GetFiles(PathOf(Log.Folder), "checkpoint.json", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(_directory.FullName, path))];

    private string PathOf(string key) => Path.Combine(_directory.FullName, key);
}
