using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>What the process says of itself in logs and metrics. Section <c>Service</c>.</summary>
public sealed class ServiceOptions
{
    /// <summary>The installation's kind: development, staging, production.</summary>
    [Required, StringLength(64)]
    public string Environment { get; set; } = "development";

    /// <summary>The region that the process runs in; buckets of other regions are not its own.</summary>
    [Required, StringLength(64)]
    public string Region { get; set; } = "local";
}
