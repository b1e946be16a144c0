using System.ComponentModel.DataAnnotations;
using StackExchange.Redis;

namespace Platform;

/// <summary>
/// The Redis that the processes of an installation share. Section <c>Redis</c>. An optimisation: without an answer from
/// it every process decides for itself.
/// </summary>
internal sealed class RedisOptions
{
    /// <summary>
    /// As StackExchange.Redis reads it, such as <c>redis.internal:6379,password=…,ssl=true</c>; empty: there is none.
    /// </summary>
    [RedisConnectionString(ErrorMessage = "Redis__ConnectionString is not host:port[,password=...][,ssl=true]")]
    public string ConnectionString { get; set; } = "";

    /// <summary>What every key begins with: installations that share a server differ in it.</summary>
    [RegularExpression("[A-Za-z0-9._:-]{1,64}", ErrorMessage = "Redis__KeyPrefix is 1 to 64 of A-Z a-z 0-9 . _ : -")]
    public string KeyPrefix { get; set; } = "voting:";

    /// <summary>
    /// Longest wait for one answer. Then nobody asks again until the server has answered a ping.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.005", "00:00:02")]
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Pause between two pings of a server that does not answer.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan RetryInterval { get; set; } = TimeSpan.FromMilliseconds(100);
}

/// <summary>A setting that StackExchange.Redis can read, or empty. Nothing is connected to.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class RedisConnectionStringAttribute : ValidationAttribute
{
    public override bool IsValid(object? value)
    {
        try
        {
            return value is null or "" || ConfigurationOptions.Parse((string)value) is
            {
                EndPoints.Count: > 0, Proxy: Proxy.None, ServiceName: null or "",
            };
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            return false;
        }
    }
}
