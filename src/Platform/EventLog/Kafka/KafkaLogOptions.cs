using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>The event log in Kafka. Section <c>Log:Kafka</c>; a wrong value stops the launch.</summary>
public sealed class KafkaLogOptions : IValidatableObject
{
    /// <summary>Brokers to begin with, <c>host:port</c> separated by commas; empty means no Kafka.</summary>
    [RegularExpression(@"[^\s,:/]+:\d{1,5}(,[^\s,:/]+:\d{1,5})*",
        ErrorMessage = "Log__Kafka__BootstrapServers is no list of brokers, such as broker-1:9092,broker-2:9092")]
    public string BootstrapServers { get; set; } = "";

    /// <summary>How brokers are spoken to.</summary>
    public KafkaSecurityOptions Security { get; set; } = new();

    /// <summary>Stands before every topic's and group's name, where installations share a cluster.</summary>
    [RegularExpression("[a-z0-9][a-z0-9.-]{0,63}",
        ErrorMessage = "Log__Kafka__TopicPrefix is lower case letters, digits, dots and hyphens, at most 64")]
    public string TopicPrefix { get; set; } = "";

    /// <summary>Copies that topics are created with, and are expected to have.</summary>
    [Range(1, 10)]
    public int Replication { get; set; } = 3;

    /// <summary>Copies that must have a record before it is acknowledged.</summary>
    [Range(1, 10)]
    public int MinInSyncReplicas { get; set; } = 2;

    /// <summary>
    /// Most records that wait to be acknowledged; more are refused, so that stalled brokers are felt at once.
    /// </summary>
    [Range(1, 1_000_000)]
    public int QueueCountMax { get; set; } = 20_000;

    /// <summary>Most bytes that wait to be acknowledged.</summary>
    [Range(IEventLog.RecordSizeBytesMax, 1024 * 1024 * 1024)]
    public int QueueSizeBytesMax { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// How long an append is waited for. Then its caller is told that its outcome is unknown; the record stays in its
    /// place in the queue and is still appended when the brokers can be reached.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan AppendTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a record waits for others to share a request with.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan Linger { get; set; } = TimeSpan.FromMilliseconds(2);

    /// <summary>How batches are compressed.</summary>
    [RegularExpression("none|lz4|zstd", ErrorMessage = "Log__Kafka__Compression is none, lz4 or zstd")]
    public string Compression { get; set; } = "lz4";

    /// <summary>About how many bytes are read ahead in each partition that is read; at least one batch.</summary>
    [Range(64 * 1024, 64 * 1024 * 1024)]
    public int ReadSizeBytesMax { get; set; } = 4 * 1024 * 1024;

    /// <summary>How often a member of a group says that it lives.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:00:30")]
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After how long a silence a member's partitions go to others, and the member itself ends its work. Brokers allow
    /// 6 s or more unless they are set up otherwise.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:05:00")]
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest a question to the brokers may take: about offsets, topics, positions.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (SessionTimeout < HeartbeatInterval * 3)
        {
            yield return new($"{nameof(SessionTimeout)} must be at least three times {nameof(HeartbeatInterval)}: "
                + "one late heartbeat must not cost a member its partitions.");
        }

        if (MinInSyncReplicas > Replication)
        {
            yield return new($"{nameof(MinInSyncReplicas)} must not be more than {nameof(Replication)}: "
                + "nothing could ever be appended.");
        }

        foreach (var fault in Security.Faults()) yield return new($"Log__Kafka__Security__{fault}");
    }
}

/// <summary>How brokers are spoken to, and as whom. None of it is ever logged.</summary>
public sealed class KafkaSecurityOptions
{
    private static readonly string[] Protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    private static readonly string[] Mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

    /// <summary><c>plaintext</c>, <c>ssl</c>, <c>sasl_plaintext</c> or <c>sasl_ssl</c>.</summary>
    public string Protocol { get; set; } = "plaintext";

    /// <summary>With SASL: <c>PLAIN</c>, <c>SCRAM-SHA-256</c> or <c>SCRAM-SHA-512</c>.</summary>
    public string Mechanism { get; set; } = "SCRAM-SHA-512";

    /// <summary>With SASL: the user.</summary>
    public string User { get; set; } = "";

    /// <summary>With SASL: the password.</summary>
    public string Password { get; set; } = "";

    /// <summary>
    /// With TLS: a PEM file of the authorities that brokers are trusted by; empty means the system's.
    /// </summary>
    public string CaFile { get; set; } = "";

    /// <summary>Whether there is a user.</summary>
    internal bool IsSasl => Protocol.StartsWith("sasl_", StringComparison.Ordinal);

    /// <summary>Whether the connection is encrypted.</summary>
    internal bool IsTls => Protocol.EndsWith("ssl", StringComparison.Ordinal);

    /// <returns>What is wrong, each beginning with the setting's name; never a value that is secret.</returns>
    internal IEnumerable<string> Faults()
    {
        if (!Protocols.Contains(Protocol)) yield return $"Protocol is one of {string.Join(", ", Protocols)}";
        if (!Mechanisms.Contains(Mechanism)) yield return $"Mechanism is one of {string.Join(", ", Mechanisms)}";
        if (IsSasl && (User.Length == 0 || Password.Length == 0))
            yield return "User and Password are needed with SASL";
        if (!IsSasl && (User.Length > 0 || Password.Length > 0)) yield return "User is given without a SASL protocol";
        if (CaFile.Length > 0 && !IsTls) yield return "CaFile is given without a protocol that encrypts";
        if (CaFile.Length > 0 && !File.Exists(CaFile)) yield return "CaFile names no file";
    }
}
