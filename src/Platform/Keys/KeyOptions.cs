using System.ComponentModel.DataAnnotations;

namespace Platform;

/// <summary>How the installation's own keys are protected. Section <c>Keys</c>.</summary>
public sealed class KeyOptions : IValidatableObject
{
    /// <summary>Base64 of the 32 bytes that wrap every other key. Whoever loses it loses them all.</summary>
    [Required(ErrorMessage =
        "Set Keys__MasterKey to the base64 of 32 random bytes, such as from: openssl rand -base64 32")]
    public string MasterKey { get; set; } = "";

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Convert.TryFromBase64String(MasterKey, new byte[MasterKey.Length], out var count) || count != 32)
        {
            yield return new(
                "Keys__MasterKey must be the base64 of exactly 32 bytes, such as from: openssl rand -base64 32",
                [nameof(MasterKey)]);
        }
    }
}
