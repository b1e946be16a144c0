using System.Security.Cryptography;
using System.Text;
using Audit;

namespace AuditTests;

/// <summary>What every store of the archive promises. Each test keeps to a prefix of its own.</summary>
public abstract class StoreConformance
{
    private const string Json = "application/json";

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private protected static string NewLog() => $"votes/{Guid.NewGuid():N}";

    private protected abstract Task<IArchiveStore> StoreAsync();

    [Fact]
    public async Task What_was_put_is_read_by_its_version()
    {
        var (store, key) = (await StoreAsync(), ArchiveKey.Segment(NewLog(), 1));
        var bytes = RandomNumberGenerator.GetBytes(300_000);

        var put = await store.PutAsync(key, bytes, "application/zstd", Cancel);
        var read = await store.ReadAsync(key, put.VersionId, Cancel);

        Assert.Equal((key, 300_000), (put.Key, put.SizeBytes));
        Assert.NotEmpty(put.VersionId);
        Assert.Equal(bytes, read!.Bytes);
        Assert.True(read.Is(SHA256.HashData(bytes)));
        Assert.False(read.Is(SHA256.HashData("other"u8)));
    }

    [Fact]
    public async Task An_empty_object_is_one()
    {
        var (store, key) = (await StoreAsync(), ArchiveKey.Segment(NewLog(), 1));

        var put = await store.PutAsync(key, default, Json, Cancel);

        var read = await store.ReadAsync(key, put.VersionId, Cancel);
        Assert.Empty(read!.Bytes);
    }

    [Fact]
    public async Task What_is_not_there_is_null()
    {
        var (store, log) = (await StoreAsync(), NewLog());
        var put = await store.PutAsync(ArchiveKey.Segment(log, 1), Bytes("a"), Json, Cancel);

        Assert.Null(await store.ReadAsync(ArchiveKey.Segment(log, 2), put.VersionId, Cancel));
        Assert.Null(await store.ReadAsync(ArchiveKey.Segment(log, 1), "no version of ours", Cancel));
        Assert.Null(await store.ReadAsync(ArchiveKey.Segment(log, 1), "../../../etc/passwd", Cancel));
    }

    [Fact]
    public async Task What_lies_below_is_listed_once_each()
    {
        var (store, above) = (await StoreAsync(), NewLog());
        foreach (var log in new[] { "votes-10", "votes-02" })
        {
            await store.PutAsync(ArchiveKey.Segment($"{above}/{log}", 1), Bytes("a"), Json, Cancel);
            await store.PutAsync(ArchiveKey.Segment($"{above}/{log}", 2), Bytes("b"), Json, Cancel);
        }

        await store.PutAsync($"{above}/file", Bytes("c"), Json, Cancel);

        Assert.Equal(["votes-02", "votes-10"], await store.FoldersAsync(above, Cancel).ToArrayAsync(Cancel));
        Assert.Empty(await store.FoldersAsync($"{above}/file", Cancel).ToArrayAsync(Cancel));
        Assert.Empty(await store.FoldersAsync(NewLog(), Cancel).ToArrayAsync(Cancel));
    }

    [Fact]
    public async Task Putting_the_same_again_leaves_what_was_put_readable()
    {
        var (store, key) = (await StoreAsync(), ArchiveKey.Checkpoint(NewLog(), 1));

        var first = await store.PutAsync(key, Bytes("same"), Json, Cancel);
        var again = await store.PutAsync(key, Bytes("same"), Json, Cancel);

        foreach (var put in new[] { first, again })
            Assert.Equal(Bytes("same"), (await store.ReadAsync(key, put.VersionId, Cancel))!.Bytes);
        var versions = await store.ListAsync(key, Cancel).Select(version => version.VersionId).ToListAsync(Cancel);
        Assert.Equal(new[] { again.VersionId, first.VersionId }.Distinct(), versions);
    }

    [Fact]
    public async Task Other_bytes_are_one_more_version_and_hide_none()
    {
        var (store, key) = (await StoreAsync(), ArchiveKey.Checkpoint(NewLog(), 1));

        var first = await store.PutAsync(key, Bytes("first"), Json, Cancel);
        var other = await store.PutAsync(key, Bytes("another"), Json, Cancel);

        Assert.NotEqual(first.VersionId, other.VersionId);
        Assert.Equal(Bytes("first"), (await store.ReadAsync(key, first.VersionId, Cancel))!.Bytes);
        Assert.Equal(Bytes("another"), (await store.ReadAsync(key, other.VersionId, Cancel))!.Bytes);
        Assert.Equal([other, first], await store.ListAsync(key, Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task Two_who_put_the_same_key_at_once_both_keep_what_they_put()
    {
        var (store, key) = (await StoreAsync(), ArchiveKey.Segment(NewLog(), 1));
        var all = Enumerable.Range(0, 12).Select(number => Bytes($"{number % 3}")).ToArray();

        var puts = await Task.WhenAll(all.Select(bytes => store.PutAsync(key, bytes, Json, Cancel)));

        foreach (var (put, bytes) in puts.Zip(all))
            Assert.Equal(bytes, (await store.ReadAsync(key, put.VersionId, Cancel))!.Bytes);
    }

    [Fact]
    public async Task A_prefix_lists_its_keys_in_the_order_of_their_bytes_and_no_others()
    {
        var (store, top) = (await StoreAsync(), NewLog());
        string[] keys =
        [
            $"{top}/a-b/x", $"{top}/a.b", $"{top}/a/checkpoint_0000000001/checkpoint.json",
            $"{top}/a/checkpoint_0000000001/segment.ndjson.zst", $"{top}/a/checkpoint_0000000002/checkpoint.json",
            $"{top}/a0", $"{top}/b/x",
        ];
        foreach (var key in keys.Reverse()) await store.PutAsync(key, Bytes(key), Json, Cancel);

        Assert.Equal(keys, await KeysAsync($"{top}/"));
        Assert.Equal(keys[..6], await KeysAsync($"{top}/a"));
        Assert.Equal(keys[2..5], await KeysAsync($"{top}/a/"));
        Assert.Equal(keys[2..4], await KeysAsync($"{top}/a/checkpoint_0000000001"));
        Assert.Equal([], await KeysAsync($"{top}/c"));

        async Task<List<string>> KeysAsync(string prefix) =>
            await store.ListAsync(prefix, Cancel).Select(version => version.Key).ToListAsync(Cancel);
    }

    [Fact]
    public async Task The_newest_checkpoint_is_the_one_with_the_highest_number()
    {
        var (store, log) = (await StoreAsync(), NewLog());
        Assert.Null(await store.NewestCheckpointAsync(log, 0, long.MaxValue, Cancel));
        foreach (var number in new long[] { 1, 2, 3, 4, 5, 9, 10, 23, 1_000_000_007 })
            await store.PutAsync(ArchiveKey.Checkpoint(log, number), Bytes($"{number}"), Json, Cancel);
        // Of another log, and segments that no checkpoint names yet.
        await store.PutAsync(ArchiveKey.Checkpoint($"{log}0", 4_000_000_000), Bytes("x"), Json, Cancel);
        foreach (var number in new long[] { 6, 24, 25, 1_000_000_008, ArchiveKey.CheckpointMax })
            await store.PutAsync(ArchiveKey.Segment(log, number), Bytes("x"), Json, Cancel);

        Assert.Equal(1_000_000_007, await NewestAsync(0, long.MaxValue));
        Assert.Equal(1_000_000_007, await NewestAsync(23, long.MaxValue));
        Assert.Null(await NewestAsync(1_000_000_007, long.MaxValue));
        Assert.Equal(23, await NewestAsync(0, 1_000_000_007));
        Assert.Equal(23, await NewestAsync(22, 24));
        Assert.Null(await NewestAsync(10, 23));
        Assert.Equal(5, await NewestAsync(0, 9));
        Assert.Equal(1, await NewestAsync(0, 2));
        Assert.Null(await NewestAsync(0, 1));

        async Task<long?> NewestAsync(long after, long before) =>
            (await store.NewestCheckpointAsync(log, after, before, Cancel))?.Number;
    }

    [Fact]
    public async Task The_newest_checkpoint_comes_with_all_that_was_put_under_its_key()
    {
        var (store, log) = (await StoreAsync(), NewLog());
        var first = await store.PutAsync(ArchiveKey.Checkpoint(log, 7), Bytes("ours"), Json, Cancel);
        var second = await store.PutAsync(ArchiveKey.Checkpoint(log, 7), Bytes("theirs"), Json, Cancel);
        await store.PutAsync(ArchiveKey.Segment(log, 7), Bytes("x"), Json, Cancel);

        var found = await store.NewestCheckpointAsync(log, 0, long.MaxValue, Cancel);

        Assert.Equal(7, found!.Number);
        Assert.Equal([second, first], found.Versions);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("votes/../../x")]
    [InlineData("votes//x")]
    [InlineData("votes/.x")]
    [InlineData("votes/x/")]
    [InlineData("votes/x.version-00")]
    [InlineData("votes/x\0")]
    public async Task A_key_that_is_none_of_ours_is_refused(string key)
    {
        var store = await StoreAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => store.PutAsync(key, Bytes("x"), Json, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() => store.ReadAsync(key, "x", Cancel));
    }
}
