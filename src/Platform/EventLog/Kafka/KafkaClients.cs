using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using KafkaPartition = Confluent.Kafka.TopicPartition;

namespace Platform;

/// <summary>Builds the clients of one process, all with the same brokers and credentials.</summary>
internal sealed partial class KafkaClients(KafkaLogOptions options, LogTopics topics, ILogger logger)
{
    // A connection that says nothing for so long is given up, and requests on it are sent again on another.
    private const int SilenceMaxMs = 10_000;
    private const int ReconnectDelayMaxMs = 1_000;

    private readonly Dictionary<string, KafkaPartition[]> _partitions = topics.All.ToDictionary(
        topic => topic.Name,
        topic => Enumerable.Range(0, topic.Partitions)
            .Select(partition => new KafkaPartition(options.TopicPrefix + topic.Name, partition)).ToArray());

    public KafkaLogOptions Options => options;

    /// <returns>The name that brokers know a topic or a group by.</returns>
    public string Named(string name) => options.TopicPrefix + name;

    /// <returns>The partition as the client library has it.</returns>
    /// <exception cref="InvalidOperationException">No such topic.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such partition.</exception>
    public KafkaPartition Partition(TopicPartition partition)
    {
        topics.RequireExisting(partition);
        return _partitions[partition.Topic][partition.Partition];
    }

    /// <returns>All partitions of a topic, by number.</returns>
    /// <exception cref="InvalidOperationException">No such topic.</exception>
    public IReadOnlyList<KafkaPartition> Partitions(string topic)
    {
        topics.PartitionCount(topic);
        return _partitions[topic];
    }

    /// <param name="onFatal">Told once the producer is of no more use; by a thread of the client's.</param>
    public IProducer<byte[]?, byte[]> Producer(Action<Error> onFatal)
    {
        var config = new ProducerConfig(Common())
        {
            Acks = Acks.All,
            EnableIdempotence = true,
            EnableGaplessGuarantee = true,
            // No record is ever given up: one that were, while it may be on its way, could come to stand behind a
            // later one. Callers wait only so long, see KafkaAppender.
            MessageTimeoutMs = 0,
            LingerMs = options.Linger.TotalMilliseconds,
            CompressionType = options.Compression switch
            {
                "none" => CompressionType.None,
                "zstd" => CompressionType.Zstd,
                _ => CompressionType.Lz4,
            },
            // The queue is bounded by us, call by call; these are only to lie above.
            QueueBufferingMaxMessages = 2 * options.QueueCountMax,
            QueueBufferingMaxKbytes = 2 * (options.QueueSizeBytesMax / 1024),
            // Offset and status are all that callers are told.
            DeliveryReportFields = "status",
        };
        return new ProducerBuilder<byte[]?, byte[]>(config)
            .SetErrorHandler((_, error) =>
            {
                if (error.IsFatal) onFatal(error);
                else Trouble(logger, "producer", error.Code, error.Reason);
            })
            .SetLogHandler(Log)
            .Build();
    }

    /// <param name="group">The group's name among brokers; null for readers outside any.</param>
    /// <param name="configure">Sets what a member of a group needs besides.</param>
    public IConsumer<byte[]?, byte[]?> Consumer(
        string? group, Action<ConsumerBuilder<byte[]?, byte[]?>>? configure = null)
    {
        var config = new ConsumerConfig(Common())
        {
            // The client wants a name even where it joins nothing.
            GroupId = group ?? Named("readers"),
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            // A place that the partition does not have is a failure, never a jump to its start or end.
            AutoOffsetReset = AutoOffsetReset.Error,
            AllowAutoCreateTopics = false,
            IsolationLevel = IsolationLevel.ReadUncommitted,
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
            SessionTimeoutMs = (int)options.SessionTimeout.TotalMilliseconds,
            HeartbeatIntervalMs = (int)options.HeartbeatInterval.TotalMilliseconds,
            // Work that was told to end holds the thread that polls: so long it may take.
            MaxPollIntervalMs = (int)Math.Max(300_000, options.SessionTimeout.TotalMilliseconds),
            FetchWaitMaxMs = 100,
            MaxPartitionFetchBytes = 1024 * 1024,
            // Read-ahead of ours is bounded by partition; the client's own only keeps the line busy.
            QueuedMinMessages = 1_000,
            QueuedMaxMessagesKbytes = Math.Max(2 * 1024, options.ReadSizeBytesMax / 1024),
            ConsumeResultFields = "headers,topic",
        };
        var builder = new ConsumerBuilder<byte[]?, byte[]?>(config)
            .SetErrorHandler((_, error) => Trouble(logger, "consumer", error.Code, error.Reason))
            .SetLogHandler(Log);
        configure?.Invoke(builder);
        return builder.Build();
    }

    public IAdminClient Admin() => new AdminClientBuilder(new AdminClientConfig(Common()))
        .SetErrorHandler((_, error) => Trouble(logger, "admin client", error.Code, error.Reason))
        .SetLogHandler(Log)
        .Build();

    /// <returns>True if brokers are away or overburdened for now; false if they refuse what they are asked.</returns>
    public static bool IsOutage(Error error) => !error.IsFatal && error.Code is
        ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.Local_TimedOut
        or ErrorCode.Local_TimedOutQueue or ErrorCode.Local_WaitCoord or ErrorCode.Local_Resolve
        or ErrorCode.Local_Retry or ErrorCode.Local_NodeUpdate or ErrorCode.Local_Partial
        or ErrorCode.LeaderNotAvailable or ErrorCode.NotLeaderForPartition or ErrorCode.RequestTimedOut
        or ErrorCode.BrokerNotAvailable or ErrorCode.ReplicaNotAvailable or ErrorCode.NetworkException
        or ErrorCode.GroupLoadInProgress or ErrorCode.GroupCoordinatorNotAvailable
        or ErrorCode.NotCoordinatorForGroup or ErrorCode.NotEnoughReplicas or ErrorCode.KafkaStorageError
        or ErrorCode.FencedLeaderEpoch or ErrorCode.UnknownLeaderEpoch or ErrorCode.OffsetNotAvailable;

    private ClientConfig Common()
    {
        var config = new ClientConfig
        {
            BootstrapServers = options.BootstrapServers,
            ClientId = "log",
            SocketTimeoutMs = SilenceMaxMs,
            SocketKeepaliveEnable = true,
            SocketNagleDisable = true,
            ReconnectBackoffMs = 50,
            ReconnectBackoffMaxMs = ReconnectDelayMaxMs,
        };
        var security = options.Security;
        config.SecurityProtocol = (security.IsSasl, security.IsTls) switch
        {
            (false, false) => SecurityProtocol.Plaintext,
            (false, true) => SecurityProtocol.Ssl,
            (true, false) => SecurityProtocol.SaslPlaintext,
            (true, true) => SecurityProtocol.SaslSsl,
        };
        if (security.CaFile.Length > 0) config.SslCaLocation = security.CaFile;
        if (!security.IsSasl) return config;
        config.SaslMechanism = security.Mechanism switch
        {
            "PLAIN" => SaslMechanism.Plain,
            "SCRAM-SHA-256" => SaslMechanism.ScramSha256,
            _ => SaslMechanism.ScramSha512,
        };
        (config.SaslUsername, config.SaslPassword) = (security.User, security.Password);
        return config;
    }

    private void Log(IClient client, LogMessage message)
    {
        // Lost and refused connections are reported as errors too, and come again and again while a broker is away.
        if (message.Level <= SyslogLevel.Error && message.Facility is not ("FAIL" or "ERROR"))
            Said(logger, message.Name, message.Facility, message.Message);
        else SaidInPassing(logger, message.Name, message.Facility, message.Message);
    }

    [LoggerMessage(LogLevel.Warning, "Kafka's {Client} reports {Code}: {Reason}")]
    private static partial void Trouble(ILogger logger, string client, ErrorCode code, string reason);

    [LoggerMessage(LogLevel.Warning, "Kafka's client {Client} says {Facility}: {Text}")]
    private static partial void Said(ILogger logger, string client, string facility, string text);

    [LoggerMessage(LogLevel.Debug, "Kafka's client {Client} says {Facility}: {Text}")]
    private static partial void SaidInPassing(ILogger logger, string client, string facility, string text);
}
