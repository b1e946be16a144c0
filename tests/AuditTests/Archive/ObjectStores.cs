using Audit;
using Testing;

namespace AuditTests;

/// <summary>Ways to buckets on the tests' own server. What is put there is locked for a day.</summary>
internal static class ObjectStores
{
    public static async Task<S3Link> LinkAsync(string bucket, Action<S3ArchiveOptions>? change = null)
    {
        var server = await ObjectStore.SharedAsync();
        var options = new S3ArchiveOptions
        {
            ServiceUrl = server.ServiceUrl.ToString(),
            Bucket = bucket,
            AccessKey = server.AccessKey,
            SecretKey = server.SecretKey,
            Region = server.Region,
        };
        change?.Invoke(options);
        return new(options, TimeProvider.System);
    }

    public static async Task<S3Archive> ArchiveAsync(string bucket, Action<S3ArchiveOptions>? change = null) =>
        new(await LinkAsync(bucket, change), 1, TimeProvider.System);

    /// <summary>A bucket that was just set up as <c>admin archive init</c> does it.</summary>
    /// <returns>Its name.</returns>
    public static async Task<string> NewBucketAsync()
    {
        var bucket = ObjectStore.NewBucket();
        using var link = await LinkAsync(bucket);
        await new S3ArchiveAdmin(link, 1).InitAsync(CancellationToken.None);
        return bucket;
    }
}
