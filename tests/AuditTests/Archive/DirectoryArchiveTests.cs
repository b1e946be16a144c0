using System.Runtime.Versioning;
using System.Security.Cryptography;
using Audit;

namespace AuditTests;

/// <summary>The directory keeps what every store promises, as read-only files at the same keys.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class DirectoryArchiveTests : StoreConformance, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("voting-archive-").FullName;

    private DirectoryArchive Store => new(Path.Combine(_directory, "made", "at", "need"));

    private protected override Task<IArchiveStore> StoreAsync() => Task.FromResult<IArchiveStore>(Store);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_file_lies_at_its_key_and_nobody_may_write_to_it()
    {
        var key = ArchiveKey.Checkpoint("votes/votes-07", 12);

        await Store.PutAsync(key, Bytes("{}"), "application/json", Cancel);
        await Store.PutAsync(key, Bytes("[]"), "application/json", Cancel);

        var file = Path.Combine(Store.Root, "votes/votes-07/checkpoint_0000000012/checkpoint.json");
        Assert.Equal("{}", await File.ReadAllTextAsync(file, Cancel));
        var files = Directory.GetFiles(Store.Root, "*", SearchOption.AllDirectories);
        Assert.Equal(2, files.Length);
        const UnixFileMode ReadOnly = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        Assert.All(files, name => Assert.Equal(ReadOnly, File.GetUnixFileMode(name)));
    }

    [Fact]
    public async Task The_same_bytes_again_are_the_same_version()
    {
        var key = ArchiveKey.Checkpoint(NewLog(), 1);
        var first = await Store.PutAsync(key, Bytes("{}"), "application/json", Cancel);

        Assert.Equal(first, await Store.PutAsync(key, Bytes("{}"), "application/json", Cancel));
        Assert.Single(Directory.GetFiles(Store.Root, "*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Changed_bytes_have_another_digest_than_the_recorded_one(bool isBeside)
    {
        var key = ArchiveKey.Segment(NewLog(), 1);
        if (isBeside) await Store.PutAsync(key, Bytes("earlier"), "application/zstd", Cancel);
        var put = await Store.PutAsync(key, Bytes("entries"), "application/zstd", Cancel);
        var file = Directory.GetFiles(Store.Root, isBeside ? "*.version-*" : "*.zst", SearchOption.AllDirectories);
        File.SetUnixFileMode(file[0], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(file[0], "forged!", Cancel);

        var read = await Store.ReadAsync(key, put.VersionId, Cancel);

        Assert.Equal(Bytes("forged!"), read!.Bytes);
        Assert.False(read.Is(SHA256.HashData("entries"u8)));

        if (isBeside)
        {
            // There is no room left for what has this name.
            await Assert.ThrowsAsync<ArchiveStoreException>(
                () => Store.PutAsync(key, Bytes("entries"), "application/zstd", Cancel));
            return;
        }

        // What was right can be put again, and is found under its version id.
        var again = await Store.PutAsync(key, Bytes("entries"), "application/zstd", Cancel);
        Assert.Equal(Bytes("entries"), (await Store.ReadAsync(key, again.VersionId, Cancel))!.Bytes);
    }

    [Fact]
    public async Task What_an_ended_process_left_on_its_way_is_removed_and_what_another_is_putting_is_not()
    {
        await Store.PutAsync(ArchiveKey.Checkpoint(NewLog(), 1), Bytes("{}"), "application/json", Cancel);
        var incoming = Path.Combine(Store.Root, ".incoming");
        var (left, whole) = (Path.Combine(incoming, "left"), Path.Combine(incoming, "whole"));
        await File.WriteAllTextAsync(left, "ha", Cancel);
        await File.WriteAllTextAsync(whole, "all", Cancel);
        File.SetUnixFileMode(whole, UnixFileMode.UserRead);
        var going = Path.Combine(incoming, "going");
        await using (new FileStream(going, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            Store.RequireWritable();
            Assert.Equal([going], Directory.GetFiles(incoming));
        }

        Store.RequireWritable();
        Assert.Empty(Directory.GetFiles(incoming));
    }

    [Fact]
    public async Task A_directory_that_cannot_be_written_says_so()
    {
        var blocked = Path.Combine(_directory, "file");
        await File.WriteAllTextAsync(blocked, "in the way", Cancel);
        var store = new DirectoryArchive(Path.Combine(blocked, "archive"));

        var failure = await Assert.ThrowsAsync<ArchiveStoreException>(
            () => store.PutAsync("votes/x", Bytes("x"), "application/json", Cancel));

        Assert.Contains(blocked, failure.Message, StringComparison.Ordinal);
    }
}
