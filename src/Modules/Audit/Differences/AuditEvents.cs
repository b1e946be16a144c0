using System.Globalization;
using Platform;

namespace Audit;

/// <summary>What the audit module tells, as it stands in <c>domain-events</c>.</summary>
internal static class AuditEvents
{
    /// <summary>Votes, rows, tallies and outcomes do not agree.</summary>
    public static OutboxEvent DifferenceFound(EventStamp stamp, string log, Difference difference) =>
        OfDifference("audit.difference-found", stamp, log, difference);

    /// <summary>They do by now.</summary>
    public static OutboxEvent DifferenceResolved(EventStamp stamp, string log, Difference difference) =>
        OfDifference("audit.difference-resolved", stamp, log, difference);

    /// <summary>A checkpoint in the archive, or what is shown of it, does not verify.</summary>
    public static OutboxEvent VerificationFailed(EventStamp stamp, string log, Difference failure) =>
        OfCheckpoint("audit.verification-failed", stamp, log, failure);

    /// <summary>It does by now.</summary>
    public static OutboxEvent VerificationRestored(EventStamp stamp, string log, Difference failure) =>
        OfCheckpoint("audit.verification-restored", stamp, log, failure);

    /// <summary>A log was given one more key.</summary>
    public static OutboxEvent LogKeyAdded(EventStamp stamp, string log, VerifierKey key) =>
        OutboxEvent.Compose("staff.log-key-added", "/audit/log-keys", $"log/{log}", stamp, json =>
        {
            json.WriteString("log"u8, log);
            json.WriteString("key"u8, key.ToString());
        });

    /// <summary>A log's old key has ended: it speaks for checkpoints up to a number, and for none behind.</summary>
    public static OutboxEvent LogKeyRetired(EventStamp stamp, string log, VerifierKey key, long last) =>
        OutboxEvent.Compose("staff.log-key-retired", "/audit/log-keys", $"log/{log}", stamp, json =>
        {
            json.WriteString("log"u8, log);
            json.WriteString("key"u8, key.ToString());
            json.WriteNumber("lastCheckpoint"u8, last);
        });

    private static OutboxEvent OfDifference(string type, EventStamp stamp, string log, Difference difference) =>
        OutboxEvent.Compose(type, "/audit/reconciliation", $"log/{log}", stamp, json =>
        {
            json.WriteString("kind"u8, difference.Kind);
            if (LogName.TryPartition(log, out var partition)) json.WriteNumber("partition"u8, partition);
            if (difference.Survey is { } survey)
                json.WriteString("survey"u8, survey.ToString(CultureInfo.InvariantCulture));
            if (difference.Place is { } offset) json.WriteNumber("offset"u8, offset);
            json.WriteString("detail"u8, difference.Detail);
        });

    private static OutboxEvent OfCheckpoint(string type, EventStamp stamp, string log, Difference failure) =>
        OutboxEvent.Compose(type, "/audit/verification", $"log/{log}", stamp, json =>
        {
            json.WriteString("problem"u8, failure.Kind);
            json.WriteString("log"u8, log);
            if (failure.Place is { } checkpoint) json.WriteNumber("checkpoint"u8, checkpoint);
            json.WriteString("detail"u8, failure.Detail);
        });
}
