using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Audit;

/// <summary>How logs are named and sealed. Section <c>Audit</c>.</summary>
internal sealed class AuditOptions
{
    /// <summary>
    /// What the origins of all logs begin with: the address, without scheme, under which anybody reads them. Fixed at
    /// installation: a log of another origin is another log.
    /// </summary>
    [Required, StringLength(200)]
    [RegularExpression(
        "[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[A-Za-z0-9._-]+)*",
        ErrorMessage = "Audit__Origin is an address without scheme, such as example.org/voting")]
    public string Origin { get; set; } = "voting.localhost";

    /// <summary>
    /// Most entries of a segment: 10,000 votes with their outcomes. So many are sealed at once; fewer wait for others
    /// to join them.
    /// </summary>
    [Range(1, 100_000)]
    public int SealEntryCountMax { get; set; } = 20_000;

    /// <summary>How long the first waiting entry waits for others before they are sealed.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan SealAfter { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Largest segment, in bytes of events; a single larger event still goes. Held in memory until it is stored.
    /// </summary>
    [Range(1024 * 1024, 64 * 1024 * 1024)]
    public int SealSizeBytesMax { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// Most logs of a process that gather a large segment at once while it catches up; others seal what fits half a
    /// mebibyte meanwhile. Times <c>SealSizeBytesMax</c>, what catching up takes of memory.
    /// </summary>
    [Range(1, 1_024)]
    public int LargeSealCountMax { get; set; } = 8;

    /// <summary>Who signs checkpoints beside the logs themselves; empty: nobody.</summary>
    [ValidateEnumeratedItems]
    public WitnessPlace[] Witnesses { get; set; } = [];
}
