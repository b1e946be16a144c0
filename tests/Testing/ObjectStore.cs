using System.Data.Common;

namespace Testing;

/// <summary>An S3 server with Object Lock: the one that <c>VOTING_TEST_S3</c> names, else a private one.</summary>
/// <remarks>
/// The private one is started at the first need, shared by all tests of this process, and gone when the process ends.
/// Tests make buckets of their own and never clean up: what is locked cannot be deleted.
/// </remarks>
public sealed class ObjectStore
{
    private static readonly Lazy<Task<ObjectStore>> Shared = new(StartAsync);

    private ObjectStore(string connection)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = connection };
        ServiceUrl = new(parts["ServiceUrl"].ToString()!);
        AccessKey = parts["AccessKey"].ToString()!;
        SecretKey = parts["SecretKey"].ToString()!;
        Region = parts.TryGetValue("Region", out var region) ? region.ToString()! : "us-east-1";
    }

    /// <summary>Its address.</summary>
    public Uri ServiceUrl { get; }

    /// <summary>Of a user who may do everything.</summary>
    public string AccessKey { get; }

    /// <summary>The user's secret.</summary>
    public string SecretKey { get; }

    /// <summary>The region that requests are signed for.</summary>
    public string Region { get; }

    /// <summary>A name for a bucket of a test's own.</summary>
    public static string NewBucket() => $"voting-test-{Guid.NewGuid():N}";

    /// <summary>One that is named as <c>scripts/object-store</c> prints it.</summary>
    public static ObjectStore At(string connection) => new(connection);

    /// <summary>The server. Every caller waits for the same start.</summary>
    /// <exception cref="ProcessFailedException">It could not be started; holds the script's last output.</exception>
    public static Task<ObjectStore> SharedAsync() => Shared.Value;

    /// <summary>How it is named in environment variables.</summary>
    public string Connection => $"ServiceUrl={ServiceUrl};AccessKey={AccessKey};SecretKey={SecretKey};Region={Region}";

    /// <summary>Settings of a <c>voting-host</c> whose archive is a bucket here, kept for a day.</summary>
    public Dictionary<string, string> Settings(string bucket) => new()
    {
        ["Archive__S3__ServiceUrl"] = ServiceUrl.ToString(),
        ["Archive__S3__Bucket"] = bucket,
        ["Archive__S3__AccessKey"] = AccessKey,
        ["Archive__S3__SecretKey"] = SecretKey,
        ["Archive__S3__Region"] = Region,
        ["Archive__S3__RetentionDays"] = "1",
        ["Archive__S3__AllowShortRetention"] = "true",
    };

    private static async Task<ObjectStore> StartAsync() =>
        new(Environment.GetEnvironmentVariable("VOTING_TEST_S3") is { Length: > 0 } named ? named
            // The script ends and deletes the server once this process is gone, however it ends.
            : await ChildProcess.RunAsync(
                "scripts/object-store", "bash",
                [
                    Path.Combine(Repository.Root, "scripts", "object-store"), "start",
                    Directory.CreateTempSubdirectory("voting-objects-").FullName, "--for", $"{Environment.ProcessId}",
                ],
                new Dictionary<string, string>(), CancellationToken.None));
}
