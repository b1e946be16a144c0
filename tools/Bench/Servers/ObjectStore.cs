using System.Data.Common;

namespace Bench;

/// <summary>The S3 server with Object Lock that keeps archives: on this machine, named by the environment.</summary>
internal static class ObjectStore
{
    private const string Variable = "VOTING_BENCH_S3";

    /// <summary>Makes a bucket as <c>admin archive init</c> does it.</summary>
    /// <returns>Settings of a process whose archive it is.</returns>
    /// <exception cref="MisuseException">No server is named.</exception>
    public static async Task<Dictionary<string, string>> NewBucketAsync(Site site, CancellationToken cancel)
    {
        var named = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } value
            ? value
            : throw new MisuseException($"{Variable} is not set: run ./voting bench, which sets it.");
        var parts = new DbConnectionStringBuilder { ConnectionString = named };
        var settings = new Dictionary<string, string>
        {
            ["Archive__S3__ServiceUrl"] = parts["ServiceUrl"].ToString()!,
            ["Archive__S3__Bucket"] = $"voting-bench-{Guid.NewGuid():N}",
            ["Archive__S3__AccessKey"] = parts["AccessKey"].ToString()!,
            ["Archive__S3__SecretKey"] = parts["SecretKey"].ToString()!,
            ["Archive__S3__Region"] = "us-east-1",
            ["Archive__S3__RetentionDays"] = "1",
            ["Archive__S3__AllowShortRetention"] = "true",
        };
        await site.RunAsync(["admin", "archive", "init"], settings, cancel);
        return settings;
    }
}
