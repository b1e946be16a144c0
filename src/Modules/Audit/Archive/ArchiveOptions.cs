using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>Where the archive is kept. Section <c>Archive</c>.</summary>
internal sealed class ArchiveOptions
{
    /// <summary>Where a process of role <c>all</c> keeps the archive unless it is told: below its directory.</summary>
    public const string EmbeddedDirectory = "archive";

    /// <summary>
    /// A directory that holds the archive, as read-only files. No evidence against whoever may write to it. Empty: the
    /// directory <c>archive</c> of the process's own, in role <c>all</c> only.
    /// </summary>
    [StringLength(1_024)]
    public string Directory { get; set; } = "";
}
