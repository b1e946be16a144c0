using Platform;

namespace Voting;

/// <summary>
/// Says what became of a voter's ballot in a survey that takes no more of them: from the rows, once they must show it.
/// </summary>
internal sealed class SettledVotes(IKnownVotes known, IFences fences, IEventLog log, TimeProvider clock)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <param name="partition">The voter's.</param>
    /// <param name="survey">Closing or finished.</param>
    /// <param name="voterKey">The voter.</param>
    /// <param name="mayComeYet">
    /// Whether a ballot may still be on its way to the log: then only the fence settles it. Otherwise an accepted one
    /// stands in the log already, and counting settles it by reaching the log's present end.
    /// </param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Whether it is settled; and the counted vote, or null when there is none.</returns>
    public async Task<(bool IsSettled, Reservation? Counted)> FindAsync(
        int partition, int survey, Key16 voterKey, bool mayComeYet, CancellationToken cancel)
    {
        if (await fences.FindAsync(survey, partition, cancel) is null
            && (mayComeYet || !await CountingReachesAsync(partition, cancel)))
        {
            return (false, null);
        }

        // Looked at after the fence or the position: whatever stands before it has its row by now.
        return (true, await known.FindAsync(partition, survey, voterKey).WaitAsync(cancel));
    }

    private async Task<bool> CountingReachesAsync(int partition, CancellationToken cancel)
    {
        var end = (await log.RangeAsync(new(VotingTopics.Votes, partition), cancel)).End;
        for (var waited = TimeSpan.Zero; waited < Patience; waited += Poll)
        {
            if (await fences.NextOffsetAsync(partition, cancel) >= end) return true;
            await Task.Delay(Poll, clock, cancel);
        }

        return false;
    }
}
