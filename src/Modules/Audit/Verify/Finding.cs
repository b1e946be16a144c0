namespace Audit;

/// <summary>Something in the evidence that is not as it must be.</summary>
/// <param name="Log">The log's name, such as <c>votes-07</c>; empty where it is no log's.</param>
/// <param name="Index">The entry, counted from zero over the log; null where no entry is to blame.</param>
/// <param name="Key">The archived object, or the address, that shows it; null where none does.</param>
/// <param name="Problem">Which rule is broken: one of <see cref="Problems"/>.</param>
/// <param name="Detail">One sentence for whoever looks into it.</param>
internal sealed record Finding(string Log, long? Index, string? Key, string Problem, string Detail)
{
    public override string ToString()
    {
        var entry = Index is { } index ? string.Create(null, $", entry {index}") : "";
        var place = Log.Length > 0 ? $"{Log}{entry}: " : "";
        return $"{place}{Detail} [{Problem}]{(Key is null ? "" : $" ({Key})")}";
    }
}

/// <summary>The rules, as reports name them. Scripts compare these words.</summary>
internal static class Problems
{
    public const string CheckpointMissing = "checkpoint-missing";
    public const string CheckpointMalformed = "checkpoint-malformed";
    public const string CheckpointSignature = "checkpoint-signature";
    public const string CheckpointChain = "checkpoint-chain";
    public const string CheckpointClaims = "checkpoint-claims";
    public const string Fork = "fork";
    public const string Rollback = "rollback";
    public const string SegmentMissing = "segment-missing";
    public const string SegmentDigest = "segment-digest";
    public const string Entry = "entry";
    public const string Chain = "chain";
    public const string Root = "root";
    public const string NotCovered = "not-covered";
    public const string Outcome = "outcome";
    public const string OutcomeChain = "outcome-chain";
    public const string Fence = "fence";
    public const string CountedTwice = "counted-twice";
    public const string Undecided = "undecided";
    public const string Ballot = "ballot";
    public const string FinalResult = "result";
    public const string Statement = "statement";
    public const string StatementSignature = "statement-signature";
    public const string StatementMissing = "statement-missing";
    public const string Tile = "tile";
    public const string Witness = "witness";
    public const string Receipt = "receipt";
    public const string Proof = "proof";
    public const string Unreadable = "unreadable";

    /// <summary>Whether it is about a result, which differs where anything else is wrong.</summary>
    public static bool IsOfResult(string problem) =>
        problem is FinalResult or Statement or StatementSignature or StatementMissing;
}

/// <summary>Ends the checking of one log: what stands behind a broken place proves nothing.</summary>
internal sealed class BrokenEvidenceException(Finding finding) : Exception(finding.ToString())
{
    /// <summary>What is broken.</summary>
    public Finding Finding { get; } = finding;
}
