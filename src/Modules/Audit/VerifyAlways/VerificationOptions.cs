using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>How the archive is verified by itself. Section <c>Audit:Verification</c>.</summary>
internal sealed class VerificationOptions
{
    /// <summary>How often newly published checkpoints are read back and verified.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "01:00:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How many of a log's newest entries are verified at once. What is older, after a pause of all processes, is left
    /// to the next pass.
    /// </summary>
    [Range(1, 100_000_000)]
    public int RecentEntryCountMax { get; set; } = 100_000;

    /// <summary>
    /// How often every checkpoint is verified again: from the beginning of one pass to that of the next.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "365.00:00:00")]
    public TimeSpan PassInterval { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How many entries a process verifies again in a second, at most.</summary>
    [Range(100, 1_000_000)]
    public int PassEntriesPerSecondMax { get; set; } = 10_000;
}
