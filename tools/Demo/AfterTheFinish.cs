namespace Demo;

/// <summary>What is asked once the result is final.</summary>
internal sealed class AfterTheFinish(
    Client client, Target target, Survey survey, Ledger ledger, TimeProvider clock)
{
    private const int ConcurrencyMax = 32;
    private const int RepeatCountMax = 20;

    /// <summary>Asks how every accepted vote has ended, each in the name of its voter.</summary>
    public Task SettleAsync(CancellationToken cancel)
    {
        var each = new ParallelOptions { MaxDegreeOfParallelism = ConcurrencyMax, CancellationToken = cancel };
        return Parallel.ForEachAsync(ledger.Accepted.GroupBy(vote => vote.Voter), each, async (votes, stop) =>
        {
            await votes.Key.RefreshAsync(client, target, clock, stop);
            foreach (var vote in votes) await SettleAsync(vote, stop);
            var counted = votes.FirstOrDefault(vote => vote.Status is "counted");
            if (counted is not null) await AskMineAsync(counted, stop);
        });
    }

    /// <summary>Sends a ballot of a voter who has not voted, and once more ballots that are counted.</summary>
    /// <param name="late">Has not voted.</param>
    /// <param name="casting">Sends ballots.</param>
    /// <param name="cancel">Ends the request that is under way.</param>
    public async Task ComeTooLateAsync(Voter late, CastBallots casting, CancellationToken cancel)
    {
        const string what = "same ballot after the finish";
        await late.RefreshAsync(client, target, clock, cancel);
        await casting.SendAsync(
            "first ballot after the finish", late, new BallotPapers(survey).Fill(late.Number, 1)[0], new(),
            _ => [(409, "survey-not-open")], cancel);
        var known = ledger.Accepted.Where(vote => vote is { Status: "counted", Key: not null });
        foreach (var vote in known.Take(RepeatCountMax))
        {
            var answer = await casting.SendAsync(what, vote.Voter, vote.Ballot, new(vote.Key), _ => [200], cancel);
            if (answer.Text("voteId") != vote.Id || answer.Text("receipt") != vote.Receipt)
                ledger.Fault($"{what}: answered {answer}, not the first answer of {vote.Id}");
        }
    }

    private async Task SettleAsync(AcceptedVote vote, CancellationToken cancel)
    {
        const string what = Ledger.Asked + "how a vote has ended";
        var answer = await AskAsync(vote.Voter, vote.Id, cancel);
        if (!ledger.Book(what, answer, 200)) return;
        (vote.Status, vote.Reason) = (answer.Text("status"), answer.Text("reason"));
        // Processes that share no memory may each sign a receipt of the one vote.
        var sameReceipt = target.Public.Count > 1 || answer.Text("receipt") == vote.Receipt;
        if (answer.Text("voteId") != vote.Id || answer.Text("survey") != survey.Id || !sameReceipt)
            ledger.Fault($"{what}: of {vote.Id} it is {answer.Body}");
    }

    private async Task AskMineAsync(AcceptedVote counted, CancellationToken cancel)
    {
        const string what = Ledger.Asked + "which vote is mine";
        var answer = await AskAsync(counted.Voter, "mine", cancel);
        ledger.Book(what, answer, 200);
        if (answer.Text("voteId") != counted.Id)
            ledger.Fault($"{what}: it is {answer.Text("voteId")}, not {counted.Id}");
    }

    private Task<Answer> AskAsync(Voter voter, string vote, CancellationToken cancel) => client.SendAsync(
        () => Requests.Get(
            target.PublicOf(voter.Number), $"/v1/surveys/{survey.Id}/votes/{vote}", voter.Token), cancel);
}
