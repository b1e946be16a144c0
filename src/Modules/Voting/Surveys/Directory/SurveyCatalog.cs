using Voting.Contracts;

namespace Voting;

/// <summary>
/// All published surveys as one successful reading left them. Immutable, so that one look at it is of one moment.
/// </summary>
internal sealed class SurveyCatalog
{
    public static readonly SurveyCatalog Empty = new([], [], 0, 0, 0);

    private readonly Dictionary<int, Entry> _entries;

    private SurveyCatalog(
        Dictionary<int, Entry> entries, Survey[] open, long revision, long readFrom, long readStartedAt)
    {
        (_entries, Open, Revision, ReadFrom, ReadStartedAt) = (entries, open, revision, readFrom, readStartedAt);
        All = new Surveys(entries);
    }

    /// <summary>Published ones, the newest first.</summary>
    public Survey[] Open { get; }

    /// <summary>All of them.</summary>
    public IReadOnlyCollection<Survey> All { get; }

    /// <summary>The last revision given out when the surveys were read; whichever survey it was for.</summary>
    public long Revision { get; }

    /// <summary>The next reading asks for what comes after this revision; 0 for everything.</summary>
    public long ReadFrom { get; }

    /// <summary>When the reading was sent.</summary>
    public long ReadStartedAt { get; }

    public Entry? Find(int id) => _entries.GetValueOrDefault(id);

    /// <returns>When the last reading in which the survey was published was sent; null when there was none.</returns>
    public long? PublishedReadStartedAt(int id) =>
        Find(id) is not { } entry ? null
        : entry.Survey.Status is SurveyStatus.Published ? ReadStartedAt
        : entry.LastPublishedReadStartedAt;

    /// <returns>The same surveys, but the next reading looks at all of them.</returns>
    public SurveyCatalog WithEverythingToRead() => new(_entries, Open, Revision, 0, ReadStartedAt);

    /// <returns>What a reading has left.</returns>
    /// <param name="changed">Surveys that are new or have changed.</param>
    /// <param name="seen">The ids of all surveys, when everything was read: the others are gone; else null.</param>
    /// <param name="revision">The last revision given out.</param>
    /// <param name="startedAt">When the reading was sent.</param>
    public SurveyCatalog With(
        IReadOnlyCollection<Survey> changed, HashSet<int>? seen, long revision, long startedAt)
    {
        var gone = seen is null ? 0 : _entries.Keys.Count(id => !seen.Contains(id));
        if (changed.Count == 0 && gone == 0) return new(_entries, Open, revision, revision, startedAt);

        var entries = new Dictionary<int, Entry>(_entries);
        foreach (var id in _entries.Keys)
        {
            if (seen is not null && !seen.Contains(id)) entries.Remove(id);
        }

        foreach (var survey in changed) entries[survey.Id] = new(survey, PublishedReadStartedAt(survey.Id));
        var open = entries.Values.Select(entry => entry.Survey)
            .Where(survey => survey.Status is SurveyStatus.Published)
            .OrderByDescending(survey => survey.Description.StartDate).ThenByDescending(survey => survey.Id).ToArray();
        return new(entries, open, revision, revision, startedAt);
    }

    /// <summary>One survey.</summary>
    /// <param name="Survey">As the last reading had it.</param>
    /// <param name="LastPublishedReadStartedAt">Of the last reading before this one in which it was published.</param>
    internal sealed record Entry(Survey Survey, long? LastPublishedReadStartedAt)
    {
        private Rendered? _rendered;

        /// <summary>Made when it is first asked for: most processes never are.</summary>
        public Rendered Rendered => _rendered ??= Voting.Rendered.Of(Survey);
    }

    private sealed class Surveys(Dictionary<int, Entry> entries) : IReadOnlyCollection<Survey>
    {
        public int Count => entries.Count;

        public IEnumerator<Survey> GetEnumerator() => entries.Values.Select(entry => entry.Survey).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
