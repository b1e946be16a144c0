using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>How final results are stated. Section <c>Audit:Results</c>.</summary>
internal sealed class ResultOptions
{
    /// <summary>How often it is looked for results whose votes are archived by now.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "01:00:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(2);
}
