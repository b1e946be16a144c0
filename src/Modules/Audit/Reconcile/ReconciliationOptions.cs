using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>How archive, rows and tallies are compared. Section <c>Audit:Reconciliation</c>.</summary>
internal sealed class ReconciliationOptions
{
    /// <summary>How often newly sealed votes are compared with their rows, and every tally with the archive.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "01:00:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a counted vote may lack its outcome in the archive, and a shard be behind the archive, before that is a
    /// difference.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan OutcomeWaitMax { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How often all votes are compared again: from the beginning of one pass to that of the next.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "365.00:00:00")]
    public TimeSpan PassInterval { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How many votes a process compares again in a second, at most.</summary>
    [Range(100, 1_000_000)]
    public int PassVotesPerSecondMax { get; set; } = 5_000;
}
