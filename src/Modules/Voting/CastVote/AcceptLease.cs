using Microsoft.Extensions.Options;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Says whether an acknowledged ballot was in time, without asking what time it is: in time is whatever was
/// acknowledged before the survey's fence can stand in the ballot's partition.
/// </summary>
/// <remarks>
/// The fence is appended no sooner than a lease and 3 seconds after the survey began to close, and a lease is counted
/// from before a reading that still said published. So an acknowledgement within the lease stands before the fence.
/// </remarks>
internal sealed class AcceptLease(
    ISurveyReadings surveys, IFences fences, IOptions<VotingOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan FencePoll = TimeSpan.FromMilliseconds(200);

    /// <returns>Whether the survey was known to be open a lease ago at most; if not, it is asked once more.</returns>
    public async ValueTask<bool> HoldsAsync(int survey, CancellationToken cancel)
    {
        var now = clock.GetTimestamp();
        if (Covers(survey, now)) return true;
        await surveys.ReadAfterAsync(now, cancel);
        return Covers(survey, clock.GetTimestamp());
    }

    /// <summary>Judges a ballot that the log has acknowledged.</summary>
    /// <param name="survey">Its survey.</param>
    /// <param name="at">Where it stands.</param>
    /// <param name="acknowledgedAt">The clock's timestamp when the acknowledgement was there.</param>
    /// <param name="cancel">Ends the wait: then it is not known.</param>
    /// <returns>False when the fence stands before the ballot.</returns>
    public async ValueTask<bool> WasInTimeAsync(
        int survey, (int Partition, long Offset) at, long acknowledgedAt, CancellationToken cancel)
    {
        if (Covers(survey, acknowledgedAt)) return true;
        await surveys.ReadAfterAsync(acknowledgedAt, cancel);
        while (!Covers(survey, acknowledgedAt))
        {
            if (await fences.FindAsync(survey, at.Partition, cancel) is { } fence) return at.Offset < fence;
            await Task.Delay(FencePoll, clock, cancel);
        }

        return true;
    }

    // A reading begun after that moment covers it too: the survey was open then, so it was open before.
    private bool Covers(int survey, long timestamp) =>
        surveys.PublishedReadStartedAt(survey) is { } started
        && clock.GetElapsedTime(started, timestamp) <= options.Value.Lease
        && surveys.Find(survey) is { Status: SurveyStatus.Published or SurveyStatus.Closing };
}
