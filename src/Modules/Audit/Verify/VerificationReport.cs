namespace Audit;

/// <summary>What a recount of a survey came to.</summary>
/// <param name="Survey">Its id.</param>
/// <param name="Ballots">Counted ones.</param>
/// <param name="IsFinal">Whether a signed result was compared with it.</param>
/// <param name="Statement">What is known of the result's signature.</param>
/// <param name="Standing">What is known of the statement that the archive has of it.</param>
internal sealed record RecountResult(
    int Survey, long Ballots, bool IsFinal, StatementCheck Statement, ResultStanding Standing);

/// <summary>What is known of the archive's statement of a final result.</summary>
internal enum ResultStanding
{
    /// <summary>The survey is not final.</summary>
    None,

    /// <summary>There is none, and need not be one by now.</summary>
    NotYetStated,

    /// <summary>It is signed, says what is counted, and the checkpoints that it names hold all of it.</summary>
    Stated,

    /// <summary>It is missing or wrong: a finding says how.</summary>
    Broken,
}

/// <summary>What is known of a statement's signature.</summary>
internal enum StatementCheck
{
    /// <summary>There is none to check.</summary>
    None,

    /// <summary>Nobody gave the keys.</summary>
    NotChecked,

    Verified,
}

/// <summary>What a verification found. Safe for use by many threads.</summary>
/// <param name="mode"><c>archive</c>, <c>url</c> or <c>receipt</c>.</param>
internal sealed partial class VerificationReport(string mode)
{
    /// <summary>More findings than these are counted only.</summary>
    private const int ListedCountMax = 1_000;

    private readonly Lock _lock = new();
    private readonly List<VerifiedLog> _logs = [];
    private readonly List<Finding> _findings = [];
    private readonly List<RecountResult> _surveys = [];
    private readonly List<string> _notes = [];
    private readonly List<(string Origin, KeyTrust Trust, IReadOnlyList<VerifierKey> Keys)> _keys = [];
    private VoteCounts? _votes;
    private long _findingCount;

    /// <summary>Whether everything that was looked at is as it must be.</summary>
    public bool Holds
    {
        get
        {
            lock (_lock) return _findingCount == 0;
        }
    }

    /// <summary>
    /// What is wrong, the first entry first: events, then votes by partition, then the log of logs; results, which
    /// differ where any of those is wrong, at the end.
    /// </summary>
    public IReadOnlyList<Finding> Findings
    {
        get
        {
            lock (_lock)
            {
                return [.. _findings.OrderBy(finding => Problems.IsOfResult(finding.Problem))
                    .ThenBy(finding => Rank(finding.Log))
                    .ThenBy(finding => finding.Log.Length).ThenBy(finding => finding.Log, StringComparer.Ordinal)
                    .ThenBy(finding => finding.Index ?? long.MaxValue)];
            }
        }
    }

    public void Add(VerifiedLog log)
    {
        lock (_lock) _logs.Add(log);
    }

    public void Add(Finding finding)
    {
        lock (_lock)
        {
            _findingCount++;
            if (_findings.Count < ListedCountMax) _findings.Add(finding);
        }
    }

    public void Add(RecountResult survey)
    {
        lock (_lock) _surveys.Add(survey);
    }

    public void Add(VoteCounts votes)
    {
        lock (_lock) (_votes ??= new()).Add(votes);
    }

    /// <summary>Something that is not wrong and that whoever relies on the report should know.</summary>
    public void Note(string sentence)
    {
        lock (_lock) _notes.Add(sentence);
    }

    /// <summary>Says which keys signatures were checked with.</summary>
    public void Use(TrustedKeys keys)
    {
        lock (_lock) _keys.AddRange(keys.All);
        if (keys.All.Any(key => key.Trust is KeyTrust.FirstUse))
        {
            Note("Keys were taken on first use, from what was verified: this shows that one hand signed everything, "
                + "and not whose. Give --vkey, or --remember for the next time.");
        }
    }

    /// <summary>Runs a part of the verification; what is broken in it goes into the report.</summary>
    /// <returns>False when something was.</returns>
    public async Task<bool> CollectAsync(Func<Task> part)
    {
        try
        {
            await part();
            return true;
        }
        catch (BrokenEvidenceException e)
        {
            Add(e.Finding);
            return false;
        }
    }
}
