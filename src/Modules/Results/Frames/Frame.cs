using System.Globalization;
using Microsoft.Net.Http.Headers;
using Voting.Contracts;

namespace Results;

/// <summary>How far a result has come, in the contract's words.</summary>
internal enum ResultStatus
{
    /// <summary>Ballots are taken.</summary>
    Published,

    /// <summary>No more ballots are taken; the last ones are being counted.</summary>
    Closing,

    /// <summary>Signed; it never changes.</summary>
    Final,
}

/// <summary>
/// One state of a survey's result, ready to be sent. Immutable: every connection that shows it sends the same bytes,
/// which are made once, when they are first asked for.
/// </summary>
internal sealed class Frame
{
    private readonly Lazy<byte[]> _snapshot;
    private readonly Lazy<byte[]> _tallyEvent;

    /// <param name="survey">Whose result.</param>
    /// <param name="version">Sum of the partitions' versions.</param>
    /// <param name="ballots">Counted ballots.</param>
    /// <param name="votes">Votes of every option of every question, in the survey's order.</param>
    /// <param name="asOf">When it became this.</param>
    public Frame(PublicSurvey survey, long version, long ballots, long[] votes, DateTimeOffset asOf)
    {
        SurveyId = survey.Id;
        Status = StatusOf(survey);
        Hidden = survey.ResultsVisibility is ResultsVisibility.AfterFinish && Status is not ResultStatus.Final;
        Version = version;
        // Weak: the same figures may have been rendered at another instant by another process.
        ETag = new($"\"{version.ToString(CultureInfo.InvariantCulture)}-{FrameBytes.Word(Status)}\"", isWeak: true);
        StatusEvent = FrameBytes.StatusEvent(survey.Id, Status);
        _snapshot = new(() => FrameBytes.Snapshot(survey, Status, version, ballots, votes, asOf));
        _tallyEvent = new(() => FrameBytes.TallyEvent(survey, version, ballots, votes, asOf));
    }

    public int SurveyId { get; }

    public ResultStatus Status { get; }

    /// <summary>Whether the public may not see the figures now.</summary>
    public bool Hidden { get; }

    public long Version { get; }

    /// <summary>The validator of <see cref="Snapshot"/>.</summary>
    public EntityTagHeaderValue ETag { get; }

    /// <summary>The body of a snapshot, JSON.</summary>
    public ReadOnlyMemory<byte> Snapshot => _snapshot.Value;

    /// <summary>A whole <c>tally</c> event of the stream.</summary>
    public ReadOnlyMemory<byte> TallyEvent => _tallyEvent.Value;

    /// <summary>A whole <c>status</c> event of the stream.</summary>
    public ReadOnlyMemory<byte> StatusEvent { get; }

    /// <returns>Final only when the signed figures are there: without them there is nothing final to show.</returns>
    public static ResultStatus StatusOf(PublicSurvey survey) => survey switch
    {
        { Status: SurveyStatus.Finished, Final: not null } => ResultStatus.Final,
        { Status: SurveyStatus.Published } => ResultStatus.Published,
        _ => ResultStatus.Closing,
    };
}
