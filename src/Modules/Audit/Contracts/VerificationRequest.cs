namespace Audit.Contracts;

/// <summary>What the verb <c>verify</c> was asked for.</summary>
public sealed record VerificationRequest
{
    /// <summary>A directory that holds an archive; null: the archive that the settings name.</summary>
    public string? Directory { get; init; }

    /// <summary>A site, http or https: its public logs are verified, and no archive.</summary>
    public Uri? Url { get; init; }

    /// <summary>A file with a receipt: it alone is verified, against <see cref="Proof"/>.</summary>
    public string? Receipt { get; init; }

    /// <summary>A file with the proof of a receipt.</summary>
    public string? Proof { get; init; }

    /// <summary>Verifier keys, or files that hold one a line. None: keys are taken on first use.</summary>
    public IReadOnlyList<string> Vkeys { get; init; } = [];

    /// <summary>A file, or an address, of the keys of receipts and results; null: those are not checked.</summary>
    public string? Jwks { get; init; }

    /// <summary>A file that holds what was seen, for the next time; null: nothing is remembered.</summary>
    public string? Remember { get; init; }

    /// <summary>Logs that are verified at once, 1 to 1,024; null: as many as there are cores.</summary>
    public int? ParallelCountMax { get; init; }

    /// <summary>Whether the report is one JSON object on the last line of the output.</summary>
    public bool Json { get; init; }
}
