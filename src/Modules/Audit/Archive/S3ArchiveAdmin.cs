using Amazon.S3;
using Amazon.S3.Model;

namespace Audit;

/// <summary>The bucket: Object Lock and versioning, a default retention, and the way to cold storage.</summary>
internal sealed class S3ArchiveAdmin(S3Link link, int retentionDays) : IArchiveAdmin
{
    /// <summary>After so many days objects move to cold storage, which costs a fraction.</summary>
    public const int TransitionDays = 90;

    private const string RuleName = "voting-archive-to-glacier";

    private const string WithoutLock = "has no Object Lock, which a bucket can have from its beginning only: "
        + "name another one in Archive__S3__Bucket and run admin archive init";

    // AWS adds "Error" to some, others do not.
    private static readonly string[] NoLock =
        ["ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound", "InvalidRequest"];

    private static readonly string[] NoLifecycle = ["NoSuchLifecycleConfiguration"];

    public async Task<IReadOnlyList<string>> InitAsync(CancellationToken cancel)
    {
        var done = new List<string>();
        if (!await ExistsAsync(cancel))
        {
            await link.AskAsync("could not be made", (s3, end) => s3.PutBucketAsync(
                new PutBucketRequest
                {
                    BucketName = link.Bucket,
                    ObjectLockEnabledForBucket = true,
                    UseClientRegion = link.IsAws,
                },
                end), cancel);
            done.Add($"Made bucket {link.Bucket} with Object Lock.");
        }

        await RequireAsync(cancel);
        var retention = (await LockAsync(cancel))?.Rule?.DefaultRetention;
        if (!IsRetained(retention))
        {
            await link.AskAsync("could not be given a retention", (s3, end) => s3.PutObjectLockConfigurationAsync(
                new() { BucketName = link.Bucket, ObjectLockConfiguration = Lock() }, end), cancel);
            done.Add($"Set the default retention to COMPLIANCE for {retentionDays} days.");
        }

        var rules = await RulesAsync(cancel);
        if (!rules.Any(MovesToGlacier))
        {
            await link.AskAsync("could not be given a lifecycle", (s3, end) => s3.PutLifecycleConfigurationAsync(
                new()
                {
                    BucketName = link.Bucket,
                    Configuration = new() { Rules = [.. rules.Where(rule => rule.Id != RuleName), ToGlacier()] },
                },
                end), cancel);
            done.Add($"Set the lifecycle: objects move to GLACIER after {TransitionDays} days.");
        }

        return done;
    }

    public async Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel)
    {
        if (!await ExistsAsync(cancel)) return [$"There is no bucket {link.Bucket}: run admin archive init."];
        var differences = new List<string>();
        if (await LockAsync(cancel) is not { } locked)
            differences.Add($"Bucket {link.Bucket} {WithoutLock}.");
        else if (!IsRetained(locked.Rule?.DefaultRetention))
            differences.Add($"The default retention is {Said(locked.Rule?.DefaultRetention)} "
                + $"instead of COMPLIANCE for {retentionDays} days: run admin archive init.");
        if (!await IsVersionedAsync(cancel)) differences.Add($"Bucket {link.Bucket} is not versioned.");

        var rules = await RulesAsync(cancel);
        if (!rules.Any(MovesToGlacier))
            differences.Add($"Nothing moves to GLACIER after {TransitionDays} days: run admin archive init.");
        foreach (var rule in rules.Where(Deletes))
            differences.Add($"The lifecycle's rule '{rule.Id}' deletes what is no longer locked.");
        return differences;
    }

    public async Task RequireAsync(CancellationToken cancel)
    {
        if (await LockAsync(cancel) is null) throw Refused(WithoutLock);
        if (!await IsVersionedAsync(cancel)) throw Refused("is not versioned");
    }

    private ArchiveStoreException Refused(string why) => new($"Bucket {link.Bucket} {why}.", isTransient: false);

    private async Task<bool> ExistsAsync(CancellationToken cancel) => await link.AskUnlessAsync(
        "could not be looked at", ["NoSuchBucket"], (s3, end) => s3.GetBucketVersioningAsync(
            new GetBucketVersioningRequest { BucketName = link.Bucket }, end), cancel) is not null;

    private async Task<bool> IsVersionedAsync(CancellationToken cancel)
    {
        var answer = await link.AskAsync("could not be asked for its versioning", (s3, end) =>
            s3.GetBucketVersioningAsync(new GetBucketVersioningRequest { BucketName = link.Bucket }, end), cancel);
        return answer.VersioningConfig?.Status == VersionStatus.Enabled;
    }

    /// <returns>Null when the bucket has no Object Lock.</returns>
    private async Task<ObjectLockConfiguration?> LockAsync(CancellationToken cancel)
    {
        var answer = await link.AskUnlessAsync("could not be asked for its lock", NoLock, (s3, end) =>
            s3.GetObjectLockConfigurationAsync(new() { BucketName = link.Bucket }, end), cancel);
        return answer?.ObjectLockConfiguration is { } locked && locked.ObjectLockEnabled == ObjectLockEnabled.Enabled
            ? locked : null;
    }

    private async Task<List<LifecycleRule>> RulesAsync(CancellationToken cancel)
    {
        var answer = await link.AskUnlessAsync("could not be asked for its lifecycle", NoLifecycle, (s3, end) =>
            s3.GetLifecycleConfigurationAsync(
                new GetLifecycleConfigurationRequest { BucketName = link.Bucket }, end), cancel);
        return answer?.Configuration?.Rules ?? [];
    }

    private ObjectLockConfiguration Lock() => new()
    {
        ObjectLockEnabled = ObjectLockEnabled.Enabled,
        Rule = new()
        {
            DefaultRetention = new() { Mode = ObjectLockRetentionMode.Compliance, Days = retentionDays },
        },
    };

    private bool IsRetained(DefaultRetention? retention) => retention?.Mode == ObjectLockRetentionMode.Compliance
        && (retention.Days ?? 0) + (retention.Years ?? 0) * 365L >= retentionDays;

    private static string Said(DefaultRetention? retention) => retention switch
    {
        null => "missing",
        { Years: { } years and > 0 } => $"{retention.Mode} for {years} years",
        _ => $"{retention.Mode} for {retention.Days ?? 0} days",
    };

    private static LifecycleRule ToGlacier() => new()
    {
        Id = RuleName,
        Status = LifecycleRuleStatus.Enabled,
        Filter = new() { LifecycleFilterPredicate = new LifecyclePrefixPredicate { Prefix = "" } },
        Transitions = [new() { Days = TransitionDays, StorageClass = S3StorageClass.Glacier }],
        // What was put again hides what a checkpoint names, which is kept as long.
        NoncurrentVersionTransitions =
            [new() { NoncurrentDays = TransitionDays, StorageClass = S3StorageClass.Glacier }],
    };

    private static bool MovesToGlacier(LifecycleRule rule) => rule.Status == LifecycleRuleStatus.Enabled
        && IsOfAll(rule)
        && (rule.Transitions ?? []).Any(transition =>
            transition.Days <= TransitionDays && transition.StorageClass == S3StorageClass.Glacier);

    /// <returns>Whether it reaches every object, whatever its key, tags and size.</returns>
    private static bool IsOfAll(LifecycleRule rule) => rule.Filter switch
    {
        null => string.IsNullOrEmpty(OldPrefix(rule)),
        { And: not null } or { Tag: not null } => false,
        { ObjectSizeGreaterThan: > 0 } or { ObjectSizeLessThan: > 0 } => false,
        { LifecycleFilterPredicate: null or LifecyclePrefixPredicate { Prefix: null or "" } } filter =>
            string.IsNullOrEmpty(filter.Prefix),
        _ => false,
    };

    // Rules without a filter have what came before filters: some servers still answer with it.
    private static string OldPrefix(LifecycleRule rule) =>
#pragma warning disable CS0618
        rule.Prefix;
#pragma warning restore CS0618

    private static bool Deletes(LifecycleRule rule) => rule.Status == LifecycleRuleStatus.Enabled
        && (rule.Expiration is { Days: > 0 } or { Date: not null }
            || rule.NoncurrentVersionExpiration is { NoncurrentDays: > 0 });
}
