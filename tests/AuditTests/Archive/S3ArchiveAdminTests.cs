using Amazon.S3;
using Amazon.S3.Model;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>A bucket is made so that it locks what is put there, and one that does not is refused.</summary>
public sealed class S3ArchiveAdminTests
{
    private const int Days = 3;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_bucket_locks_by_itself_and_moves_to_cold_storage()
    {
        using var bucket = await BucketAsync();
        var admin = new S3ArchiveAdmin(bucket.Link, Days);
        Assert.Contains("run admin archive init", Assert.Single(await admin.DifferencesAsync(Cancel)),
            StringComparison.Ordinal);

        Assert.Equal(3, (await admin.InitAsync(Cancel)).Count);

        Assert.Empty(await admin.DifferencesAsync(Cancel));
        await admin.RequireAsync(Cancel);
        var put = await bucket.AskAsync((s3, end) => s3.PutObjectAsync(
            new() { BucketName = bucket.Name, Key = "x", ContentBody = "x", UseChunkEncoding = false }, end));
        var kept = await bucket.AskAsync((s3, end) => s3.GetObjectRetentionAsync(
            new() { BucketName = bucket.Name, Key = "x", VersionId = put.VersionId }, end));
        Assert.Equal(ObjectLockRetentionMode.Compliance, kept.Retention.Mode);
        var rule = Assert.Single((await LifecycleAsync(bucket)).Rules);
        Assert.Equal(S3StorageClass.Glacier, Assert.Single(rule.Transitions).StorageClass);
        Assert.Equal(90, rule.Transitions[0].Days);
        Assert.Equal(90, Assert.Single(rule.NoncurrentVersionTransitions).NoncurrentDays);
    }

    [Fact]
    public async Task Setting_up_again_changes_nothing()
    {
        using var bucket = await BucketAsync();
        var admin = new S3ArchiveAdmin(bucket.Link, Days);
        await admin.InitAsync(Cancel);

        Assert.Empty(await admin.InitAsync(Cancel));
        Assert.Empty(await admin.DifferencesAsync(Cancel));
    }

    [Fact]
    public async Task A_bucket_without_lock_is_refused()
    {
        using var bucket = await BucketAsync();
        var admin = new S3ArchiveAdmin(bucket.Link, Days);
        await bucket.AskAsync((s3, end) => s3.PutBucketAsync(bucket.Name, end));

        var differences = await admin.DifferencesAsync(Cancel);

        Assert.Equal(3, differences.Count);
        Assert.Contains("has no Object Lock", differences[0], StringComparison.Ordinal);
        Assert.Contains("is not versioned", differences[1], StringComparison.Ordinal);
        foreach (var ask in new Func<Task>[] { () => admin.RequireAsync(Cancel), () => admin.InitAsync(Cancel) })
        {
            var refusal = await Assert.ThrowsAsync<ArchiveStoreException>(ask);
            Assert.False(refusal.IsTransient);
            Assert.Contains("has no Object Lock", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_difference_is_said_and_set_right()
    {
        using var bucket = await BucketAsync();
        var admin = new S3ArchiveAdmin(bucket.Link, Days);
        await admin.InitAsync(Cancel);
        await bucket.AskAsync((s3, end) => s3.PutObjectLockConfigurationAsync(
            new()
            {
                BucketName = bucket.Name,
                ObjectLockConfiguration = new()
                {
                    ObjectLockEnabled = ObjectLockEnabled.Enabled,
                    Rule = new()
                    {
                        DefaultRetention = new() { Mode = ObjectLockRetentionMode.Governance, Days = Days },
                    },
                },
            }, end));
        await bucket.AskAsync((s3, end) => s3.PutLifecycleConfigurationAsync(
            new()
            {
                BucketName = bucket.Name,
                Configuration = new()
                {
                    Rules =
                    [
                        new()
                        {
                            Id = "clean-up",
                            Status = LifecycleRuleStatus.Enabled,
                            Filter = new() { LifecycleFilterPredicate = new LifecyclePrefixPredicate { Prefix = "" } },
                            Expiration = new() { Days = 5 },
                        },
                        ToGlacier("photos", new LifecyclePrefixPredicate { Prefix = "photos/" }),
                        ToGlacier("old", new LifecycleTagPredicate { Tag = new() { Key = "old", Value = "x" } }),
                    ],
                },
            }, end));

        var differences = await admin.DifferencesAsync(Cancel);
        Assert.Equal(3, differences.Count);
        Assert.Contains("GOVERNANCE for 3 days instead of COMPLIANCE for 3 days", differences[0],
            StringComparison.Ordinal);
        Assert.Contains("GLACIER", differences[1], StringComparison.Ordinal);
        Assert.Contains("clean-up", differences[2], StringComparison.Ordinal);

        Assert.Equal(2, (await admin.InitAsync(Cancel)).Count);
        // What somebody else set up is for them to take away.
        Assert.Contains("clean-up", Assert.Single(await admin.DifferencesAsync(Cancel)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_longer_retention_than_asked_for_is_left_alone()
    {
        using var bucket = await BucketAsync();
        await new S3ArchiveAdmin(bucket.Link, Days).InitAsync(Cancel);

        Assert.Empty(await new S3ArchiveAdmin(bucket.Link, Days - 1).DifferencesAsync(Cancel));
        Assert.Contains("for 3 days instead of COMPLIANCE for 4 days",
            Assert.Single(await new S3ArchiveAdmin(bucket.Link, Days + 1).DifferencesAsync(Cancel)),
            StringComparison.Ordinal);
    }

    /// <summary>Moves a part of the objects only.</summary>
    private static LifecycleRule ToGlacier(string id, LifecycleFilterPredicate of) => new()
    {
        Id = id,
        Status = LifecycleRuleStatus.Enabled,
        Filter = new() { LifecycleFilterPredicate = of },
        Transitions = [new() { Days = 30, StorageClass = S3StorageClass.Glacier }],
    };

    private static async Task<LifecycleConfiguration> LifecycleAsync(TestBucket bucket) =>
        (await bucket.AskAsync((s3, end) => s3.GetLifecycleConfigurationAsync(
            new GetLifecycleConfigurationRequest { BucketName = bucket.Name }, end))).Configuration;

    private static async Task<TestBucket> BucketAsync()
    {
        var name = ObjectStore.NewBucket();
        return new(name, await ObjectStores.LinkAsync(name));
    }

    private sealed record TestBucket(string Name, S3Link Link) : IDisposable
    {
        public Task<T> AskAsync<T>(Func<AmazonS3Client, CancellationToken, Task<T>> ask) =>
            Link.AskAsync("could not be asked", ask, Cancel);

        public void Dispose() => Link.Dispose();
    }
}
