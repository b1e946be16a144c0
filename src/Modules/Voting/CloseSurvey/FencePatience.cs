namespace Voting;

/// <summary>
/// Says when a survey may be fenced off: once no api process can still accept by a reading that said published.
/// </summary>
/// <remarks>Counted from a reading that said closing, which came after that was committed: so it waits no shorter than
/// is promised, whatever any clock says. Not safe for use by several threads.</remarks>
internal sealed class FencePatience(TimeProvider clock)
{
    private static readonly TimeSpan AfterLease = TimeSpan.FromSeconds(3);

    private readonly Dictionary<int, long> _closingSeenAt = [];

    /// <summary>Every wait begins anew, which only takes longer.</summary>
    public void Begin() => _closingSeenAt.Clear();

    /// <summary>Begins the wait at the first call for a survey, which has been seen closing.</summary>
    /// <param name="survey">Its id.</param>
    /// <param name="longestLease">The longest that any api process was started with.</param>
    public bool IsOver(int survey, TimeSpan longestLease)
    {
        if (!_closingSeenAt.TryGetValue(survey, out var seenAt))
            _closingSeenAt[survey] = seenAt = clock.GetTimestamp();
        return clock.GetElapsedTime(seenAt) >= longestLease + AfterLease;
    }
}
