using Amazon.S3;
using Amazon.S3.Model;
using Audit;

namespace AuditTests;

/// <summary>The bucket keeps what every store promises, and keeps it locked.</summary>
public sealed class S3ArchiveTests : StoreConformance
{
    private const string Json = "application/json";

    /// <summary>One for all tests, which keep to prefixes of their own.</summary>
    private static readonly Lazy<Task<string>> Bucket = new(ObjectStores.NewBucketAsync);

    private protected override async Task<IArchiveStore> StoreAsync() =>
        await ObjectStores.ArchiveAsync(await Bucket.Value);

    private static Task<T> AskAsync<T>(S3Link link, Func<AmazonS3Client, CancellationToken, Task<T>> ask) =>
        link.AskAsync("could not be asked", ask, Cancel);

    [Fact]
    public async Task A_version_can_neither_be_deleted_nor_its_retention_be_shortened()
    {
        var bucket = await Bucket.Value;
        var (store, key) = (await ObjectStores.ArchiveAsync(bucket), ArchiveKey.Checkpoint(NewLog(), 1));
        var put = await store.PutAsync(key, Bytes("{}"), Json, Cancel);
        using var link = await ObjectStores.LinkAsync(bucket);

        var retention = (await AskAsync(link, (s3, end) => s3.GetObjectRetentionAsync(
            new() { BucketName = bucket, Key = key, VersionId = put.VersionId }, end))).Retention;
        Assert.Equal(ObjectLockRetentionMode.Compliance, retention.Mode);
        var until = retention.RetainUntilDate!.Value.ToUniversalTime();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        Assert.InRange(until, now.AddHours(23), now.AddHours(25));

        await RefusedAsync(s3 => s3.DeleteObjectAsync(
            new() { BucketName = bucket, Key = key, VersionId = put.VersionId }, Cancel));
        await RefusedAsync(s3 => s3.DeleteObjectAsync(
            new()
            {
                BucketName = bucket,
                Key = key,
                VersionId = put.VersionId,
                BypassGovernanceRetention = true,
            }, Cancel));
        await RefusedAsync(s3 => SetRetentionAsync(s3, ObjectLockRetentionMode.Compliance, until.AddHours(-2)));
        await RefusedAsync(s3 => SetRetentionAsync(s3, ObjectLockRetentionMode.Governance, until.AddHours(2)));

        Assert.Equal(Bytes("{}"), (await store.ReadAsync(key, put.VersionId, Cancel))!.Bytes);

        Task<PutObjectRetentionResponse> SetRetentionAsync(
            AmazonS3Client s3, ObjectLockRetentionMode mode, DateTime at) => s3.PutObjectRetentionAsync(
            new()
            {
                BucketName = bucket,
                Key = key,
                VersionId = put.VersionId,
                Retention = new() { Mode = mode, RetainUntilDate = at },
                BypassGovernanceRetention = true,
            }, Cancel);

        async Task RefusedAsync<T>(Func<AmazonS3Client, Task<T>> ask)
        {
            var refusal = await Assert.ThrowsAsync<ArchiveStoreException>(() => AskAsync(link, (s3, _) => ask(s3)));
            Assert.Contains("(403)", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_deletion_of_the_key_hides_no_version()
    {
        var bucket = await Bucket.Value;
        var (store, log) = (await ObjectStores.ArchiveAsync(bucket), NewLog());
        var put = await store.PutAsync(ArchiveKey.Checkpoint(log, 1), Bytes("{}"), Json, Cancel);
        using var link = await ObjectStores.LinkAsync(bucket);
        await AskAsync(link, (s3, end) => s3.DeleteObjectAsync(bucket, put.Key, end));

        Assert.Equal(Bytes("{}"), (await store.ReadAsync(put.Key, put.VersionId, Cancel))!.Bytes);
        Assert.Equal([put], await store.ListAsync(put.Key, Cancel).ToListAsync(Cancel));
        Assert.Equal([put], (await store.NewestCheckpointAsync(log, 0, long.MaxValue, Cancel))!.Versions);
    }

    [Fact]
    public async Task What_others_put_between_our_keys_does_not_hide_the_newest_checkpoint()
    {
        var bucket = await Bucket.Value;
        var (store, log) = (await ObjectStores.ArchiveAsync(bucket), NewLog());
        foreach (var number in new long[] { 1, 2, 3 })
            await store.PutAsync(ArchiveKey.Checkpoint(log, number), Bytes("{}"), Json, Cancel);
        using var link = await ObjectStores.LinkAsync(bucket);
        foreach (var name in new[] { "checkpoint_0000000001!", "checkpoint_0000000002!x/y", "checkpoint_z", "a", "z" })
        {
            await AskAsync(link, (s3, end) => s3.PutObjectAsync(
                new() { BucketName = bucket, Key = $"{log}/{name}", ContentBody = "x", UseChunkEncoding = false },
                end));
        }

        Assert.Equal(3, (await store.NewestCheckpointAsync(log, 0, long.MaxValue, Cancel))!.Number);
    }

    [Fact]
    public async Task A_list_goes_on_over_pages()
    {
        var (store, log) = (await StoreAsync(), NewLog());
        var puts = Enumerable.Range(1, 1_010).Select(number => ArchiveKey.Checkpoint(log, number)).ToArray();
        await Parallel.ForEachAsync(
            puts, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel },
            async (key, cancel) => await store.PutAsync(key, Bytes("{}"), Json, cancel));

        Assert.Equal(puts, await store.ListAsync($"{log}/", Cancel).Select(version => version.Key).ToListAsync(Cancel));
        Assert.Equal(1_010, (await store.NewestCheckpointAsync(log, 0, long.MaxValue, Cancel))!.Number);
    }
}
