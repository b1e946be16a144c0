using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>How events of the modules' outboxes reach the log. Section <c>Outbox</c>.</summary>
internal sealed class OutboxOptions
{
    /// <summary>
    /// How often a consumer looks for events: how late one reaches the log at most, when all goes well.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Most events that are read and appended at once; one of a survey may have some 100 KiB.</summary>
    [Range(1, 10_000)]
    public int BatchCountMax { get; set; } = 200;
}
