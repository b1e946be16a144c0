using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>The bucket that holds the archive. Section <c>Archive:S3</c>.</summary>
internal sealed class S3ArchiveOptions : IValidatableObject
{
    /// <summary>Seven years, leap days included: what the archive has to be kept at least.</summary>
    public const int RetentionDaysMin = 2_557;

    /// <summary>Address of the S3 server; empty: AWS.</summary>
    [RegularExpression("https?://[^/?#@]+/?", ErrorMessage = "Archive__S3__ServiceUrl is http(s)://host[:port]")]
    public string ServiceUrl { get; set; } = "";

    /// <summary>The bucket, made by <c>admin archive init</c>; empty: the archive is a directory.</summary>
    [RegularExpression("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        ErrorMessage = "Archive__S3__Bucket is 3 to 63 of a-z 0-9 . -")]
    public string Bucket { get; set; } = "";

    /// <summary>Access key; empty: as AWS's tools find it (environment, profile, role of the pod or machine).</summary>
    [StringLength(128)]
    public string AccessKey { get; set; } = "";

    /// <summary>Its secret. Never logged.</summary>
    [StringLength(256)]
    public string SecretKey { get; set; } = "";

    /// <summary>The bucket's region.</summary>
    [Required, StringLength(64)]
    public string Region { get; set; } = "us-east-1";

    /// <summary>Whether the bucket stands in the path of addresses, and not in the host's name.</summary>
    public bool ForcePathStyle { get; set; } = true;

    /// <summary>
    /// How long nobody can delete what was put, in days. Below 2557, seven years, only with
    /// <see cref="AllowShortRetention"/>.
    /// </summary>
    [Range(1, 36_500)]
    public int RetentionDays { get; set; } = 3_653;

    /// <summary>Whether the archive may be kept for less than seven years: for development only.</summary>
    public bool AllowShortRetention { get; set; }

    /// <summary>Longest wait for one request to the store; then it is tried again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (ServiceUrl.Length + AccessKey.Length + SecretKey.Length > 0 && Bucket.Length == 0)
            yield return new("Archive__S3__Bucket must be set where other settings of Archive__S3 are");
        if (AccessKey.Length == 0 != (SecretKey.Length == 0))
            yield return new("Archive__S3__AccessKey and Archive__S3__SecretKey are set both or neither");
        if (RetentionDays < RetentionDaysMin && !AllowShortRetention)
        {
            yield return new($"Archive__S3__RetentionDays is at least {RetentionDaysMin}, seven years; for "
                + "development, set Archive__S3__AllowShortRetention to true");
        }
    }
}
