namespace Audit;

/// <summary>What looks for differences.</summary>
internal static class DifferenceAreas
{
    public const string Reconciliation = "reconciliation";
    public const string Verification = "verification";
}

/// <summary>What reconciliation finds, as events and metrics name it.</summary>
internal static class DifferenceKinds
{
    /// <summary>The row says something else than what is archived.</summary>
    public const string RowAltered = "row-altered";

    /// <summary>An archived vote has an outcome and no row.</summary>
    public const string RowMissing = "row-missing";

    /// <summary>A row of a vote that is not archived: nobody submitted it.</summary>
    public const string RowUnknown = "row-unknown";

    /// <summary>A row where counting cannot have put one.</summary>
    public const string RowStray = "row-stray";

    /// <summary>A vote without outcome, though later ones have theirs, or for too long.</summary>
    public const string OutcomeMissing = "outcome-missing";

    /// <summary>
    /// A record of the outcomes that nobody who counts has said. Its place is its own offset; it stays there, so this
    /// never ends by itself, and is said once.
    /// </summary>
    public const string OutcomeUnknown = "outcome-unknown";

    /// <summary>Outcomes were told of records behind the shard's position.</summary>
    public const string PositionBehind = "position-behind";

    /// <summary>The tally is not what the archived votes give.</summary>
    public const string TallyAltered = "tally-altered";

    /// <summary>The stored final result is not what the survey's archived end says.</summary>
    public const string FinalAltered = "final-altered";

    /// <summary>The archived end of a survey is not what its archived ballots give.</summary>
    public const string FinalContradicted = "final-contradicted";

    /// <summary>Those of final results; their place is the survey's id.</summary>
    public static string[] OfResults { get; } = [FinalAltered, FinalContradicted];

    /// <summary>Those that a place in <c>votes</c> can have.</summary>
    public static string[] OfPlaces { get; } =
        [RowAltered, RowMissing, RowUnknown, OutcomeMissing, PositionBehind];
}

/// <summary>Something that is not as it must be.</summary>
/// <param name="Kind">One of <see cref="DifferenceKinds"/>, or of <see cref="Problems"/>.</param>
/// <param name="Survey">The survey's id, or null.</param>
/// <param name="Place">
/// Offset of the record in <c>votes</c>, of <see cref="DifferenceKinds.OutcomeUnknown"/> in <c>vote-outcomes</c>;
/// number of the checkpoint; the survey's id of <see cref="DifferenceKinds.OfResults"/>; null where none is.
/// </param>
/// <param name="Detail">One sentence; never what was chosen.</param>
internal sealed record Difference(string Kind, int? Survey, long? Place, string Detail);

/// <summary>What was looked at: what is open there and was not found again, is no more.</summary>
/// <param name="Area">One of <see cref="DifferenceAreas"/>.</param>
/// <param name="Log">The log's name.</param>
/// <param name="Kinds">Which kinds would have been found.</param>
/// <param name="From">The first place; null where all places, and none, were looked at.</param>
/// <param name="To">The first place behind.</param>
internal sealed record LookedAt(string Area, string Log, string[] Kinds, long? From, long To);
