using System.Globalization;

namespace Demo;

/// <summary>One election from the draft to the recount.</summary>
internal sealed class HoldElection(Client client, Target target, Ledger ledger, Report report, TimeProvider clock)
{
    private static readonly TimeSpan KnownTimeout = TimeSpan.FromSeconds(30);
    // An idle survey is final within 15 s on a workstation; a busy machine may take longer.
    private static readonly TimeSpan FinalTimeout = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan StreamEndTimeout = TimeSpan.FromSeconds(20);

    /// <returns>The exit code: 0 if every number agrees, else 1.</returns>
    public static async Task<int> RunAsync(
        SurveyFile file, int voterCount, double rate, Target target, Report report, CancellationToken cancel)
    {
        var ledger = new Ledger();
        using var client = new Client(ledger, TimeProvider.System);
        var election = new HoldElection(client, target, ledger, report, TimeProvider.System);
        var outcome = await election.RunAsync(file, voterCount, rate, cancel);
        return report.Show(outcome);
    }

    private async Task<ElectionOutcome> RunAsync(SurveyFile file, int voterCount, double rate, CancellationToken cancel)
    {
        var staff = new Staff(client, target, clock);
        var rows = new Recount(target.Database);
        await staff.ReachAsync(cancel);
        await rows.ReachAsync(cancel);

        var survey = await staff.CreateAsync(file, cancel);
        await staff.PutAsync(survey.Id, "publish", cancel);
        var published = clock.GetTimestamp();
        var known = await staff.WaitForAllAsync(
            $"/v1/surveys/{survey.Id}", answer => answer.Status == 200, KnownTimeout, cancel);
        foreach (var answer in known.Where(answer => answer.Status != 200))
            throw new BrokenOffException($"The published survey cannot be read: {answer}");
        report.Say($"Survey {survey.Id}, {survey.Title}, is published; every public port knew it after "
            + $"{Seconds(clock.GetElapsedTime(published))}.");

        // One more, who comes too late.
        var voters = await new SignVotersIn(client, target, clock).RunAsync(
            voterCount + 1, file, report.Progress("voters are signed in", voterCount + 1), cancel);

        using var streamEnd = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var live = new LiveTally(client, target.PublicOf(1), survey.Id, clock);
        var following = live.FollowAsync(streamEnd.Token);
        var hostile = new HostileBallots(client, target, survey, ledger);
        var casting = new CastBallots(
            client, target, survey, ledger, new(client, target, survey, ledger), hostile, clock);
        var begun = clock.GetTimestamp();
        var all = casting.RunAsync([.. voters.Take(voterCount)], rate, cancel);
        await report.WatchAsync(survey, voterCount, ledger, live, all, cancel);
        var castTime = clock.GetElapsedTime(begun);
        report.Say($"All voters have voted after {Seconds(castTime)}; the survey is being finished.");

        await staff.PutAsync(survey.Id, "finish", cancel);
        var finished = clock.GetTimestamp();
        var counting = staff.WaitForAllAsync(
            $"/v1/surveys/{survey.Id}/results", answer => answer.Text("status") is "final", FinalTimeout, cancel);
        var finals = await report.WatchAsync(survey, voterCount, ledger, live, counting, cancel);
        var finalTime = clock.GetElapsedTime(finished);
        foreach (var answer in finals.Where(answer => answer.Text("status") is not "final"))
            throw new BrokenOffException($"The result is not final {Seconds(finalTime)} after the finish: {answer}");
        report.Say($"The result is final, {Seconds(finalTime)} after the finish.");

        streamEnd.CancelAfter(StreamEndTimeout);
        try
        {
            await following;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            live.Faults.Add("it did not end with the final result");
        }

        var after = new AfterTheFinish(client, target, survey, ledger, clock);
        await after.SettleAsync(cancel);
        await after.ComeTooLateAsync(voters[^1], casting, cancel);
        var recount = await rows.RunAsync(int.Parse(survey.Id, CultureInfo.InvariantCulture), cancel);
        return new(survey, voterCount, ledger, live, finals, recount, castTime, finalTime, hostile.Count);
    }

    private static string Seconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s");
}

/// <summary>Everything that is known of an election once it is over.</summary>
/// <param name="Finals">The final result as each public port showed it.</param>
/// <param name="CastTime">From the first ballot to the last.</param>
/// <param name="FinalTime">From the finish until every port showed the final result.</param>
/// <param name="HostileCount">How many kinds of hostile ballots there are for the survey.</param>
internal sealed record ElectionOutcome(
    Survey Survey, int VoterCount, Ledger Ledger, LiveTally Live, IReadOnlyList<Answer> Finals, RowCount Rows,
    TimeSpan CastTime, TimeSpan FinalTime, int HostileCount)
{
    /// <summary>Of the first public port.</summary>
    public Tally Final { get; } = Tally.Of(Finals[0].Body!.Value);

    /// <summary>Votes that the platform says are counted.</summary>
    public IReadOnlyList<AcceptedVote> Counted { get; } = [.. Ledger.Accepted.Where(vote => vote.Status is "counted")];

    /// <summary>Votes that were accepted and are not counted, by the reason.</summary>
    public IReadOnlyDictionary<string, int> Rejected { get; } = Ledger.Accepted
        .Where(vote => vote.Status is not "counted")
        .GroupBy(vote => vote.Reason ?? vote.Status ?? "unknown", StringComparer.Ordinal)
        .ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
}
