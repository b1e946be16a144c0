using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>Whose tokens are taken. Section <c>Tokens</c>; the same in every process of an installation.</summary>
public sealed class TokenOptions : IValidatableObject
{
    /// <summary>The installation's public address, no slash at the end: <c>iss</c> of all that it signs.</summary>
    [Required(ErrorMessage = "Set Tokens__Issuer to the installation's public address, such as https://vote.example")]
    [StringLength(400)]
    public string Issuer { get; set; } = "http://localhost:8080";

    /// <summary><c>aud</c> of voters' access tokens.</summary>
    [Required, StringLength(128)]
    public string Audience { get; set; } = "voting-api";

    /// <summary><c>aud</c> of staff tokens; must differ from <see cref="Audience"/>.</summary>
    [Required, StringLength(128)]
    public string StaffAudience { get; set; } = "voting-staff";

    /// <summary>How far the clocks of two of our machines may differ.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Uri.TryCreate(Issuer, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")
            || Issuer.EndsWith('/'))
        {
            yield return new("Tokens__Issuer must be an http(s) address without a slash at the end", [nameof(Issuer)]);
        }

        if (Audience == StaffAudience)
            yield return new("Tokens__Audience and Tokens__StaffAudience must differ", [nameof(StaffAudience)]);
    }
}
