using Testing;

namespace AuditTests;

/// <summary>What an operator sees of the archive's store: two verbs, and a process that does not start.</summary>
public sealed class ArchiveVerbTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bucket_is_made_and_compared_by_verbs_and_taken_by_role_audit()
    {
        var settings = (await ObjectStore.SharedAsync()).Settings(ObjectStore.NewBucket());
        await using var installation = await Installation.StartAsync(postgres, [], settings, Cancel);

        Assert.Contains("exit code 1", await RefusalAsync(Verb("check")), StringComparison.Ordinal);
        var refusal = await RefusalAsync(installation.StartHostAsync("audit", cancel: Cancel));
        Assert.Contains("exit code 2", refusal, StringComparison.Ordinal);
        Assert.Contains("NoSuchBucket (404); run admin archive init.", refusal, StringComparison.Ordinal);

        Assert.Contains("Made bucket", await Verb("init"), StringComparison.Ordinal);
        Assert.Equal("The archive is as it should be.", (await Verb("check")).Trim());
        await installation.StartHostAsync("audit", cancel: Cancel);

        Task<string> Verb(string verb) => installation.RunAsync(["admin", "archive", verb], Cancel);
    }

    [Fact]
    public async Task A_bucket_without_lock_keeps_role_audit_from_starting_and_a_store_that_is_down_does_not()
    {
        var bucket = ObjectStore.NewBucket();
        using var link = await ObjectStores.LinkAsync(bucket);
        await link.AskAsync("could not be made", (s3, end) => s3.PutBucketAsync(bucket, end), Cancel);
        var settings = (await ObjectStore.SharedAsync()).Settings(bucket);
        await using var installation = await Installation.StartAsync(postgres, [], settings, Cancel);

        var refusal = await RefusalAsync(installation.StartHostAsync("audit", cancel: Cancel));
        Assert.Contains("exit code 2", refusal, StringComparison.Ordinal);
        Assert.Contains("has no Object Lock", refusal, StringComparison.Ordinal);

        var down = new Dictionary<string, string> { ["Archive__S3__ServiceUrl"] = "http://127.0.0.1:1" };
        var audit = await installation.StartHostAsync("audit", down, Cancel);
        Assert.False(audit.HasExited);
    }

    private static async Task<string> RefusalAsync(Task asked) =>
        (await Assert.ThrowsAsync<ProcessFailedException>(() => asked)).Message;
}
