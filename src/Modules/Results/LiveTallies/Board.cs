using System.Diagnostics;
using System.Runtime.InteropServices;
using Voting.Contracts;

namespace Results;

/// <summary>
/// One survey's result as this process knows it: the newest tally of every partition, the frame that is shown now, and
/// who is looking at it. Safe for use by many threads.
/// </summary>
internal sealed class Board(int surveyId, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<int, PartitionTally> _partitions = [];
    private readonly Dictionary<int, long> _votes = [];
    private readonly List<Viewer> _viewers = [];
    private long _version;
    private long _ballots;
    private long _shownBallots;
    private bool _retired;
    private bool _holdsBack;
    private PublicSurvey? _survey;
    private PublicSurvey? _inOrder;
    private long _usedAt = clock.GetTimestamp();
    private volatile Frame? _frame;

    public int SurveyId { get; } = surveyId;

    /// <summary>
    /// What is shown now; null until the survey was loaded. Versions never go back while the survey is not final.
    /// </summary>
    public Frame? Frame => _frame;

    /// <summary>Takes one partition's tally, unless it knows a newer one. Repeats change nothing.</summary>
    /// <remarks>It is shown by the next <see cref="Refresh"/>.</remarks>
    public void Merge(PartitionTally tally)
    {
        lock (_gate)
        {
            if (_frame is { Status: ResultStatus.Final }) return;
            if (_partitions.TryGetValue(tally.Partition, out var known))
            {
                if (known.Version >= tally.Version) return;
                Add(known, -1);
            }

            Add(tally, +1);
            _partitions[tally.Partition] = tally;
        }
    }

    /// <summary>
    /// Makes a new frame when there is something new to show, and wakes everyone who looks at this survey.
    /// </summary>
    /// <param name="survey">As Voting shows it now.</param>
    /// <returns>The frame before and the new one, or null when nothing is to be shown.</returns>
    public (Frame? Before, Frame After)? Refresh(PublicSurvey survey)
    {
        lock (_gate)
        {
            var before = _frame;
            var status = Frame.StatusOf(survey);
            // A result that was shown as final stays, and a status never goes back.
            if (before is { Status: ResultStatus.Final } || status < before?.Status) return null;

            if (!ReferenceEquals(survey, _survey)) (_survey, _inOrder) = (survey, InOrder(survey));
            if (Render(before, status, _inOrder!) is not { } after) return null;
            _frame = after;
            _holdsBack = survey.LiveBatchMin > 1 && status is not ResultStatus.Final;
            foreach (var viewer in _viewers) viewer.Wake();
            return (before, after);
        }
    }

    /// <summary>Adds one who looks at this survey until <see cref="Leave"/>.</summary>
    /// <returns>False when the board is no longer kept: look for the survey again.</returns>
    public bool TryJoin(Viewer viewer)
    {
        lock (_gate)
        {
            if (_retired) return false;
            viewer.Place = _viewers.Count;
            _viewers.Add(viewer);
            return true;
        }
    }

    /// <summary>After this the viewer is not touched any more.</summary>
    public void Leave(Viewer viewer)
    {
        lock (_gate)
        {
            Debug.Assert(ReferenceEquals(_viewers[viewer.Place], viewer), "A viewer knows its place.");
            var last = _viewers[^1];
            _viewers[viewer.Place] = last;
            last.Place = viewer.Place;
            _viewers.RemoveAt(_viewers.Count - 1);
            _usedAt = clock.GetTimestamp();
        }
    }

    /// <summary>
    /// Does <paramref name="action"/> to everyone who looks at this survey. It must be short and wait for nothing.
    /// </summary>
    public void ForEachViewer(Action<Viewer> action)
    {
        lock (_gate)
        {
            foreach (var viewer in _viewers) action(viewer);
        }
    }

    /// <summary>Says that somebody has looked at the survey.</summary>
    public void Touch() => Volatile.Write(ref _usedAt, clock.GetTimestamp());

    /// <returns>
    /// Whether the board may be forgotten: nobody looks at it, and nobody has for <paramref name="idle"/>. From then on
    /// it takes no viewers.
    /// </returns>
    public bool TryRetire(TimeSpan idle)
    {
        lock (_gate)
        {
            // Forgetting what was shown last would show the ballots held back: whoever asks now and then could count
            // singly.
            if (_holdsBack || _viewers.Count > 0) return false;
            return _retired = clock.GetElapsedTime(Volatile.Read(ref _usedAt)) >= idle;
        }
    }

    private Frame? Render(Frame? before, ResultStatus status, PublicSurvey survey)
    {
        var now = clock.GetUtcNow();
        if (status is ResultStatus.Final)
        {
            var signed = survey.Final!;
            _partitions.Clear();
            _votes.Clear();
            return new(survey, signed.Version, signed.Ballots, VotesOf(survey, signed.Votes), signed.FinalAt);
        }

        // What has not been shown yet stays back until enough ballots have come that none can be told from its time.
        // The end of voting is such a moment for all.
        var enough = Math.Abs(_ballots - _shownBallots) >= survey.LiveBatchMin || survey.LiveBatchMin <= 1;
        var moved = status != before?.Status;
        if (before is null && status is ResultStatus.Published && !enough)
        {
            return new(survey, 0, 0, VotesOf(survey, new Dictionary<int, long>()), now);
        }

        if (!moved && (!enough || before?.Version == _version)) return null;
        _shownBallots = _ballots;
        return new(survey, _version, _ballots, VotesOf(survey, _votes), now);
    }

    private void Add(PartitionTally tally, int sign)
    {
        _version += sign * tally.Version;
        _ballots += sign * tally.Ballots;
        for (var i = 0; i < tally.Options.Count; i++)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_votes, tally.Options[i], out _) += sign * tally.Votes[i];
        }
    }

    private static long[] VotesOf(PublicSurvey survey, IReadOnlyDictionary<int, long> votes) =>
    [
        .. survey.Questions.SelectMany(question => question.Options)
            .Select(option => votes.GetValueOrDefault(option.Id)),
    ];

    private static PublicSurvey InOrder(PublicSurvey survey) => survey with
    {
        Questions = [.. survey.Questions.OrderBy(question => question.Order).Select(question => question with
        {
            Options = [.. question.Options.OrderBy(option => option.Order)],
        })],
    };
}
