using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>The event log in PostgreSQL. Section <c>Log:Postgres</c>; a wrong value stops the launch.</summary>
public sealed class PostgresLogOptions : IValidatableObject
{
    /// <summary>
    /// Most records that wait to be appended; more are refused, so that a stalled database is felt at once.
    /// </summary>
    [Range(1, 1_000_000)]
    public int QueueCountMax { get; set; } = 20_000;

    /// <summary>Most bytes that wait to be appended.</summary>
    [Range(IEventLog.RecordSizeBytesMax, int.MaxValue)]
    public int QueueSizeBytesMax { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// Most records one commit brings. Enough to share its fsync; few enough that nobody waits long for it.
    /// </summary>
    [Range(1, 10_000)]
    public int CommitCountMax { get; set; } = 2_000;

    /// <summary>Most bytes one commit brings; a single larger record still goes.</summary>
    [Range(4 * 1024, 64 * 1024 * 1024)]
    public int CommitSizeBytesMax { get; set; } = 4 * 1024 * 1024;

    /// <summary>Longest one commit may take before the server gives it up.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan AppendTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>About how many bytes one query of a reader brings; at least one stored batch.</summary>
    [Range(4 * 1024, 64 * 1024 * 1024)]
    public int ReadSizeBytesMax { get; set; } = 4 * 1024 * 1024;

    /// <summary>How often the log is looked at while readers wait and nobody notified them.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:05")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How often a member of a group says that it lives.</summary>
    [Range(typeof(TimeSpan), "00:00:00.020", "00:00:30")]
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After how long a silence a member's partitions go to others, and the member itself ends its work.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often records past their topic's retention are dropped.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "1.00:00:00")]
    public TimeSpan RetentionInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (SessionTimeout < HeartbeatInterval * 3)
        {
            yield return new($"{nameof(SessionTimeout)} must be at least three times {nameof(HeartbeatInterval)}: "
                + "one late heartbeat must not cost a member its partitions.");
        }
    }
}
