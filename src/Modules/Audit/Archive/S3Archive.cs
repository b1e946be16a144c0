using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;

namespace Audit;

/// <summary>
/// Keeps the archive in a bucket with Object Lock: nobody, its owner included, can delete a version before its
/// retention is over, or shorten that.
/// </summary>
internal sealed class S3Archive(S3Link link, int retentionDays, TimeProvider clock) : IArchiveStore
{
    private const int PageCountMax = 1_000;

    // A version id that the store did not make is an argument that it does not understand; a marker holds nothing.
    private static readonly string[] NotThere =
        ["NoSuchKey", "NoSuchVersion", "NotFound", "InvalidArgument", "MethodNotAllowed"];

    public async Task<ArchivedVersion> PutAsync(
        string key, ReadOnlyMemory<byte> content, string contentType, CancellationToken cancel)
    {
        ArchiveKey.Require(key);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(content.Length, ArchiveKey.ContentSizeBytesMax);
        using var body = Stream(content);
        var answer = await link.AskAsync($"{key} could not be put", (s3, end) => s3.PutObjectAsync(
            new()
            {
                BucketName = link.Bucket,
                Key = key,
                InputStream = body,
                AutoCloseStream = false,
                ContentType = contentType,
                // Of the chunks' encoding other servers than AWS's know little.
                UseChunkEncoding = false,
                MD5Digest = Md5(content.Span),
                ChecksumSHA256 = Convert.ToBase64String(SHA256.HashData(content.Span)),
                ObjectLockMode = ObjectLockMode.Compliance,
                ObjectLockRetainUntilDate = clock.GetUtcNow().AddDays(retentionDays).UtcDateTime,
            },
            end), cancel);
        return answer.VersionId is { Length: > 0 } and not "null"
            ? new(key, answer.VersionId, content.Length)
            : throw new ArchiveStoreException(
                $"Archive in bucket {link.Bucket}: {key} got no version id: the bucket is not versioned.", false);
    }

    public Task<ArchivedContent?> ReadAsync(string key, string versionId, CancellationToken cancel)
    {
        ArchiveKey.Require(key);
        return link.AskUnlessAsync($"{key} could not be read", NotThere, async (s3, end) =>
        {
            using var answer = await s3.GetObjectAsync(link.Bucket, key, versionId, end);
            if (answer.ContentLength is < 0 or > ArchiveKey.ContentSizeBytesMax)
                throw new ArchiveStoreException($"Archive in bucket {link.Bucket}: {key} is too large.", false);
            var bytes = new byte[answer.ContentLength];
            await answer.ResponseStream.ReadExactlyAsync(bytes, end);
            return new ArchivedContent(bytes, SHA256.HashData(bytes));
        }, cancel);
    }

    public IAsyncEnumerable<ArchivedVersion> ListAsync(string prefix, CancellationToken cancel) =>
        AllAsync(prefix, "", PageCountMax, cancel)
            .Where(version => version.IsDeleteMarker is not true)
            .Select(version => new ArchivedVersion(version.Key, version.VersionId, version.Size ?? 0));

    public async IAsyncEnumerable<string> FoldersAsync(
        string above, [EnumeratorCancellation] CancellationToken cancel)
    {
        ArchiveKey.Require(above);
        var prefix = $"{above}/";
        var request = new ListVersionsRequest
        {
            BucketName = link.Bucket,
            Prefix = prefix,
            Delimiter = "/",
            MaxKeys = PageCountMax,
        };
        while (true)
        {
            var page = await link.AskAsync(
                $"'{prefix}' could not be listed", (s3, end) => s3.ListVersionsAsync(request, end), cancel);
            foreach (var folder in page.CommonPrefixes ?? []) yield return folder[prefix.Length..^1];
            if (page.IsTruncated is not true) yield break;
            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
        }
    }

    public async Task<ArchivedCheckpoint?> NewestCheckpointAsync(
        string log, long after, long before, CancellationToken cancel)
    {
        ArchiveKey.Require(log);
        if (after >= ArchiveKey.CheckpointMax || before <= after) return null;
        if (before - after == 2)
        {
            // One is not searched for among all.
            var name = ArchiveKey.Checkpoint(log, after + 1);
            var only = await ListAsync(name, cancel).Where(version => version.Key == name).ToListAsync(cancel);
            return only.Count > 0 ? new(after + 1, only) : null;
        }

        // While a log is sealed there is next to nothing behind the number: one request says all of it.
        if (await AllBehindAsync(log, after, cancel) is { } all)
        {
            return all.Where(one => one.Number < before).OrderByDescending(one => one.Number).FirstOrDefault();
        }

        while (await HighestAsync(log, after, before, cancel) is { } number)
        {
            var key = ArchiveKey.Checkpoint(log, number);
            var versions = await ListAsync(key, cancel).Where(version => version.Key == key).ToListAsync(cancel);
            if (versions.Count > 0) return new(number, versions);
            // A segment that no checkpoint names: the search goes on below it.
            before = number;
        }

        return null;
    }

    /// <returns>Every checkpoint behind a number; null when one page does not hold them.</returns>
    private async Task<IEnumerable<ArchivedCheckpoint>?> AllBehindAsync(
        string log, long after, CancellationToken cancel)
    {
        var prefix = $"{log}/";
        var request = new ListVersionsRequest
        {
            BucketName = link.Bucket,
            Prefix = prefix,
            KeyMarker = $"{ArchiveKey.In(log, after)}~",
            MaxKeys = PageCountMax,
        };
        var page = await link.AskAsync(
            $"'{prefix}' could not be listed", (s3, end) => s3.ListVersionsAsync(request, end), cancel);
        if (page.IsTruncated is true) return null;
        return (page.Versions ?? []).Where(version => version.IsDeleteMarker is not true)
            .Select(version => (
                Number: ArchiveKey.TryReadNumber(log, version.Key, out var number)
                    && number > after && version.Key == ArchiveKey.Checkpoint(log, number) ? number : 0,
                Version: new ArchivedVersion(version.Key, version.VersionId, version.Size ?? 0)))
            .Where(one => one.Number > 0)
            .GroupBy(one => one.Number, one => one.Version)
            .Select(one => new ArchivedCheckpoint(one.Key, [.. one]));
    }

    /// <summary>
    /// The highest number between two under which there is anything: from the lowest one upwards in steps that double,
    /// then by halves, since a bucket lists upwards only.
    /// </summary>
    private async Task<long?> HighestAsync(string log, long after, long before, CancellationToken cancel)
    {
        var high = Math.Min(before, ArchiveKey.CheckpointMax + 1);
        if (await LowestAsync(log, after + 1, high, cancel) is not { } low) return null;
        for (var step = 1L; low + step < high; step *= 2)
        {
            if (await LowestAsync(log, low + step, high, cancel) is { } further) low = further;
            else high = low + step;
        }

        while (high - low > 1)
        {
            var middle = low + (high - low) / 2;
            if (await LowestAsync(log, middle, high, cancel) is { } further) low = further;
            else high = middle;
        }

        return low;
    }

    /// <summary>The lowest number from one to below another under which there is anything.</summary>
    private async Task<long?> LowestAsync(string log, long from, long before, CancellationToken cancel)
    {
        if (from >= before) return null;
        // Behind everything of the number before it. What is no checkpoint of ours is passed over.
        var marker = $"{ArchiveKey.In(log, from - 1)}~";
        await foreach (var version in AllAsync($"{log}/", marker, 1, cancel))
        {
            if (!ArchiveKey.TryReadNumber(log, version.Key, out var number) || number < from) continue;
            return number < before ? number : null;
        }

        return null;
    }

    /// <summary>Versions and markers of deletions whose keys begin with the prefix and come after the marker.</summary>
    private async IAsyncEnumerable<S3ObjectVersion> AllAsync(
        string prefix, string marker, int pageCount, [EnumeratorCancellation] CancellationToken cancel)
    {
        var request = new ListVersionsRequest
        {
            BucketName = link.Bucket,
            Prefix = prefix,
            KeyMarker = marker.Length == 0 ? null : marker,
            MaxKeys = pageCount,
        };
        while (true)
        {
            var page = await link.AskAsync(
                $"'{prefix}' could not be listed", (s3, end) => s3.ListVersionsAsync(request, end), cancel);
            foreach (var version in page.Versions ?? []) yield return version;
            if (page.IsTruncated is not true) yield break;
            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
            request.MaxKeys = PageCountMax;
        }
    }

    [SuppressMessage("Security", "CA5351", Justification =
        "The protocol's checksum: AWS demands it with Object Lock, others check it. Nothing is proved by it.")]
    private static string Md5(ReadOnlySpan<byte> content) => Convert.ToBase64String(MD5.HashData(content));

    private static MemoryStream Stream(ReadOnlyMemory<byte> content) =>
        MemoryMarshal.TryGetArray(content, out var array)
            ? new(array.Array ?? [], array.Offset, array.Count, writable: false) : new(content.ToArray(), false);
}
