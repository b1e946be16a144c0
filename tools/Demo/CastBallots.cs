using System.Globalization;

namespace Demo;

/// <summary>
/// Lets every voter vote, each in one of the ways in which voters do: once, impatiently, twice, at once from several
/// devices, step by step, or after trying what must not work.
/// </summary>
internal sealed class CastBallots(
    Client client, Target target, Survey survey, Ledger ledger, StepByStep sessions, HostileBallots hostile,
    TimeProvider clock)
{
    private const int ConcurrencyMax = 64;
    private const int PaperCountMax = 4;
    // One voter in twenty each; the rest vote once and are content.
    private const int WayCount = 20;

    private static readonly TimeSpan NoDelay = TimeSpan.Zero;

    private readonly BallotPapers _papers = new(survey);

    /// <param name="voters">All of them have voted once this returns.</param>
    /// <param name="rate">How many begin each second; 0: the next as soon as one is done.</param>
    /// <param name="cancel">Ends the voting.</param>
    /// <exception cref="BrokenOffException">The platform answers no more.</exception>
    public Task RunAsync(IReadOnlyList<Voter> voters, double rate, CancellationToken cancel)
    {
        var begun = clock.GetTimestamp();
        var each = new ParallelOptions { MaxDegreeOfParallelism = ConcurrencyMax, CancellationToken = cancel };
        return Parallel.ForEachAsync(voters, each, async (voter, stop) =>
        {
            var early = rate > 0
                ? TimeSpan.FromSeconds(voter.Number / rate) - clock.GetElapsedTime(begun) : NoDelay;
            if (early > NoDelay) await Task.Delay(early, clock, stop);
            await voter.RefreshAsync(client, target, clock, stop);
            await hostile.SendAsync(voter, _papers.Fill(voter.Number, 1)[0], stop);
            await VoteAsync(voter, stop);
            ledger.VoterDone();
        });
    }

    /// <summary>Sends a ballot, and books the answer.</summary>
    /// <param name="what">What it is, for the books.</param>
    /// <param name="voter">Whose token is sent.</param>
    /// <param name="paper">The ballot.</param>
    /// <param name="how">Everything else about the request.</param>
    /// <param name="allowed">What may be answered.</param>
    /// <param name="cancel">Ends the request.</param>
    public async Task<Answer> SendAsync(
        string what, Voter voter, BallotPaper paper, How how, Func<Answer, Allowed[]> allowed, CancellationToken cancel)
    {
        var body = paper.ToBody(how.OtherWay);
        var answer = await client.SendAsync(() =>
        {
            var request = Requests.Json(
                HttpMethod.Post, target.PublicOf(voter.Number + how.Device), $"/v1/surveys/{survey.Id}/votes",
                voter.Token, body);
            if (how.Key is not null) request.Headers.TryAddWithoutValidation("Idempotency-Key", how.Key);
            return request;
        }, cancel);
        ledger.Book(what, answer, allowed(answer));
        if (answer.Status is not (200 or 202)) return answer;
        ledger.Accept(voter, answer, paper, how.Key);
        if (answer.Text("survey") != survey.Id || answer.Text("status") is not "accepted")
            ledger.Fault($"{what}: the body is {answer.Body}");
        return answer;
    }

    private Task VoteAsync(Voter voter, CancellationToken cancel)
    {
        var papers = _papers.Fill(voter.Number, PaperCountMax);
        // A survey may be such that only one ballot is possible; or that a ballot says nothing, which is no session.
        var (others, steps) = (papers.Count > 1, papers[0].Choices.Count > 0);
        return (voter.Number % WayCount) switch
        {
            1 => AgainAsync(voter, papers[0], null, cancel),
            2 => AgainAsync(voter, papers[0], Key(voter), cancel),
            3 => SameAtOnceAsync(voter, papers[0], cancel),
            4 when others => AnotherAsync(voter, papers[0], papers[1], null, cancel),
            5 when others => AnotherAsync(voter, papers[0], papers[1], Key(voter), cancel),
            6 or 16 when others => DifferentAtOnceAsync(voter, papers, cancel),
            7 or 17 when steps => sessions.RunAsync(voter, papers[0], cancel),
            8 when steps => SessionAndBallotAsync(voter, papers, cancel),
            9 when steps => BallotAndSessionAsync(voter, papers[0], cancel),
            _ => FirstAsync(voter, papers[0], null, cancel),
        };
    }

    private async Task<Answer> FirstAsync(Voter voter, BallotPaper paper, string? key, CancellationToken cancel)
    {
        var answer = await SendAsync(
            "ballot", voter, paper, new(key), answer => answer.Uncertain ? [202, 200] : [202], cancel);
        if (answer is { Status: 202, Uncertain: false }) ledger.Took(answer.Took);
        return answer;
    }

    private async Task AgainAsync(Voter voter, BallotPaper paper, string? key, CancellationToken cancel)
    {
        var first = await FirstAsync(voter, paper, key, cancel);
        var what = key is null ? "same ballot again" : "same ballot again, same key";
        for (var time = 0; time < 2; time++)
        {
            var again = await SendAsync(
                what, voter, paper, new(key, OtherWay: time > 0), _ => [200], cancel);
            if (!again.SaysTheSame(first)) ledger.Fault($"{what}: answered {again.Body}, first {first.Body}");
        }
    }

    private async Task AnotherAsync(
        Voter voter, BallotPaper paper, BallotPaper other, string? key, CancellationToken cancel)
    {
        var first = await FirstAsync(voter, paper, key, cancel);
        if (key is not null)
        {
            await SendAsync(
                "another ballot, same key", voter, other, new(key), _ => [(422, "idempotency-key-reused")], cancel);
        }

        await ExpectDuplicateAsync("another ballot later", voter, other, first, cancel);
    }

    private async Task ExpectDuplicateAsync(
        string what, Voter voter, BallotPaper other, Answer first, CancellationToken cancel)
    {
        var answer = await SendAsync(what, voter, other, new(), _ => [(409, "duplicate-vote")], cancel);
        if (answer.Status == 409 && answer.Text("voteId") != first.Text("voteId"))
            ledger.Fault($"{what}: the refusal names {answer.Text("voteId")}, not {first.Text("voteId")}");
    }

    private async Task SameAtOnceAsync(Voter voter, BallotPaper paper, CancellationToken cancel)
    {
        const string what = "same ballot at once";
        var answers = await Task.WhenAll(Enumerable.Range(0, PaperCountMax).Select(device => SendAsync(
            what, voter, paper, new(Device: device, OtherWay: device % 2 > 0), _ => [202, 200], cancel)));
        // Processes that share no memory may each sign a receipt of the one vote.
        var sameReceipt = target.Public.Count > 1 || answers.DistinctBy(answer => answer.Text("receipt")).Count() == 1;
        if (!sameReceipt || answers.DistinctBy(answer => answer.Text("voteId")).Count() != 1)
            ledger.Fault($"{what}: answered {string.Join(" and ", answers.Select(answer => answer.Body))}");
    }

    private async Task DifferentAtOnceAsync(
        Voter voter, IReadOnlyList<BallotPaper> papers, CancellationToken cancel)
    {
        const string what = "different ballots at once";
        var answers = await Task.WhenAll(papers.Select((paper, device) => SendAsync(
            what, voter, paper, new(Device: device),
            answer => answer.Uncertain ? [202, 200, (409, "duplicate-vote")] : [202, (409, "duplicate-vote")],
            cancel)));
        var accepted = answers.Where(answer => answer.Status is 200 or 202)
            .Select(answer => answer.Text("voteId")).ToHashSet();
        if (accepted.Count == 0) ledger.Fault($"{what}: none was accepted");
        var refusals = answers.Where(answer => answer.Status == 409);
        foreach (var refused in refusals.Where(refusal => !accepted.Contains(refusal.Text("voteId"))))
            ledger.Fault($"{what}: a refusal names {refused.Text("voteId")}, which was not accepted");
    }

    private async Task SessionAndBallotAsync(Voter voter, IReadOnlyList<BallotPaper> papers, CancellationToken cancel)
    {
        if (await sessions.RunThoroughlyAsync(voter, papers[0], cancel) is { } finish && papers.Count > 1)
            await ExpectDuplicateAsync("ballot after a session", voter, papers[1], finish, cancel);
    }

    private async Task BallotAndSessionAsync(Voter voter, BallotPaper paper, CancellationToken cancel)
    {
        var first = await FirstAsync(voter, paper, null, cancel);
        await sessions.TryTooLateAsync(voter, paper, first, cancel);
    }

    // Both forms of the header are taken: quoted, as the draft says, and bare.
    private string Key(Voter voter)
    {
        var key = string.Create(CultureInfo.InvariantCulture, $"demo-{survey.Id}-{voter.Number}");
        return voter.Number % 2 == 0 ? $"\"{key}\"" : key;
    }
}

/// <summary>How a ballot is sent.</summary>
/// <param name="Key">The idempotency key as it stands in the header; null for none.</param>
/// <param name="OtherWay">With its parts in another order.</param>
/// <param name="Device">Devices of one voter reach different public ports, if there are several.</param>
internal readonly record struct How(string? Key = null, bool OtherWay = false, int Device = 0);
