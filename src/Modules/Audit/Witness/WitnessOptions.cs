using System.ComponentModel.DataAnnotations;

namespace Audit;

/// <summary>A witness: somebody else's server, which signs checkpoints that only grew.</summary>
internal sealed class WitnessPlace : IValidatableObject
{
    /// <summary>Where it is; <c>/add-checkpoint</c> is put behind it.</summary>
    [Required, StringLength(500)]
    public string Url { get; set; } = "";

    /// <summary>The key that it signs with, as <c>name+id+key</c> (C2SP signed-note, cosignature/v1).</summary>
    [Required, StringLength(500)]
    public string VerifierKey { get; set; } = "";

    /// <summary>Whether it is asked to sign every log; else only the log of logs, which covers the others.</summary>
    public bool AllLogs { get; set; }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Uri.TryCreate(Url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            yield return new("Audit__Witnesses: a Url is no http or https address");
        if (!Audit.VerifierKey.TryParse(VerifierKey, out var key) || key.Type is not NoteKeyType.Witness)
            yield return new("Audit__Witnesses: a VerifierKey is no key of a witness (name+id+key)");
    }
}

/// <summary>How witnesses are asked. Section <c>Audit:Witnessing</c>.</summary>
internal sealed class WitnessOptions
{
    /// <summary>How often it is looked for newly published checkpoints.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "01:00:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait for a witness's answer.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest pause after a witness did not sign; the first one is a second, each the double.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan RetryPauseMax { get; set; } = TimeSpan.FromMinutes(1);
}
