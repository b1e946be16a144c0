using Mediator;

namespace Voting.Contracts;

/// <summary>Where a survey stands. It only ever moves forwards.</summary>
public enum SurveyStatus
{
    /// <summary>Being written; staff alone see it.</summary>
    Draft,

    /// <summary>Takes ballots.</summary>
    Published,

    /// <summary>Finished, but accepted ballots may still be on their way to the count.</summary>
    Closing,

    /// <summary>The final result is signed; it never changes.</summary>
    Finished,
}

/// <summary>When a survey's results may be seen.</summary>
public enum ResultsVisibility
{
    /// <summary>From the first ballot on.</summary>
    Live,

    /// <summary>Once the survey's result is final.</summary>
    AfterFinish,
}

/// <summary>One option of a question. Ids mean the same for good.</summary>
/// <param name="Id">Unique over all surveys; at least 1.</param>
/// <param name="Text">1 to 200 characters.</param>
/// <param name="Image">Absolute https URL, or null.</param>
/// <param name="Order">0 to 9,999, unique in the question.</param>
public sealed record PublicOption(int Id, string Text, string? Image, int Order);

/// <summary>One question.</summary>
/// <param name="Id">Unique over all surveys; at least 1.</param>
/// <param name="Title">1 to 200 characters.</param>
/// <param name="Min">Fewest options to choose; 0 means it may be left out.</param>
/// <param name="Max">Most options to choose.</param>
/// <param name="Order">0 to 9,999, unique in the survey.</param>
/// <param name="AllowText">Whether an answer may carry free text.</param>
/// <param name="Options">By order.</param>
public sealed record PublicQuestion(
    int Id, string Title, int Min, int Max, int Order, bool AllowText, IReadOnlyList<PublicOption> Options);

/// <summary>The signed end of a survey.</summary>
/// <param name="Statement">Compact JWS over the same figures.</param>
/// <param name="Version">Sum of the partitions' versions.</param>
/// <param name="Ballots">Counted ballots.</param>
/// <param name="Votes">Votes by option id; an option nobody chose is 0.</param>
/// <param name="FinalAt">When it was signed.</param>
public sealed record FinalResult(
    string Statement, long Version, long Ballots, IReadOnlyDictionary<int, long> Votes, DateTimeOffset FinalAt);

/// <summary>A survey as anybody may see it, with what other modules need to show its results.</summary>
/// <param name="Revision">Grows with every change of the survey.</param>
/// <param name="Final">Null until the result is signed.</param>
public sealed record PublicSurvey(
    int Id, string Title, SurveyStatus Status, DateTimeOffset? StartDate, DateTimeOffset? FinishDate,
    ResultsVisibility ResultsVisibility, int LiveBatchMin, IReadOnlyList<PublicQuestion> Questions,
    FinalResult? Final, long Revision);

/// <summary>
/// Reads a survey that has been published, from memory: at most a second old, and the same instance until it changes.
/// Null when there is none, or only a draft.
/// </summary>
public sealed record ReadPublicSurvey(int SurveyId) : IQuery<PublicSurvey?>;
