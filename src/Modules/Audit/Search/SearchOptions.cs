using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>How archived events are made searchable. Section <c>Audit:Search</c>.</summary>
internal sealed class SearchOptions
{
    /// <summary>How often it is looked for newly sealed segments: the delay that it adds to a vote's proof.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How many logs a process adds to the index side by side; each holds one segment in memory.</summary>
    [Range(1, 64)]
    public int LogCountMax { get; set; } = 2;
}
