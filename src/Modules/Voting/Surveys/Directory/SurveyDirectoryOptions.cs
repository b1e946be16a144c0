using System.ComponentModel.DataAnnotations;

namespace Voting;

/// <summary>How a process keeps up with the surveys. Section <c>Voting:Surveys</c>.</summary>
internal sealed class SurveyDirectoryOptions
{
    /// <summary>
    /// Pause between two readings of what has changed. A published survey must take votes within two seconds in every
    /// process, and every lease must be renewed in time.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:00:01")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Longest time one reading may take before it is given up and begun anew.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan ReadTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
