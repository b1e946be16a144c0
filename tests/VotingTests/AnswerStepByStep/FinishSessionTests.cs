using System.Text.Json.Nodes;

namespace VotingTests;

[Collection(nameof(AnsweringStepByStep))]
public sealed class FinishSessionTests(AnswerSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_finish_casts_the_answers_and_says_the_same_vote_for_good()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var begun = await voter.AddAsync(poll, poll.One, 4);
        var session = (string)begun["surveyAnswer"]!["id"]!;
        await voter.AddAsync(poll, poll.Two, 2, session: session);
        await voter.AddAsync(poll, poll.Two, 0, session: session);
        await voter.AddAsync(poll, poll.Words, text: "because", session: session);

        var answer = await voter.FinishAsync(poll, session);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = await answer.Content.ReadAsStringAsync(Cancel);
        var finished = Bodies.Parse(body);
        Assert.Equal(
            ["id", "survey", "initialized", "finished", "voteId", "receipt"], finished.Select(member => member.Key));
        Assert.Equal(session, (string?)finished["id"]);
        Assert.Equal(poll.Id, (string?)finished["survey"]);
        Assert.Equal((string?)begun["surveyAnswer"]!["initialized"], (string?)finished["initialized"]);
        Assert.EndsWith("Z", (string?)finished["finished"], StringComparison.Ordinal);
        var ballot = await CountedAsync(poll, voter);
        Assert.Equal((string?)finished["voteId"], (string?)ballot["voteId"]);
        Assert.Equal((string?)finished["receipt"], (string?)ballot["receipt"]);
        Assert.Equal((string?)finished["finished"], (string?)ballot["acceptedAt"]);
        Assert.Equal(
            $"{{{poll.One.Options[4]},{poll.Two.Options[0]},{poll.Two.Options[2]}}} "
            + $"{{\"{poll.Words.Id}\": \"because\"}}",
            await ScalarAsync(poll, "ballots", "options::text || ' ' || texts::text"));

        for (var host = 0; host < 2; host++)
        {
            var again = await voter.FinishAsync(poll, session, host);
            Assert.Equal(HttpStatusCode.OK, again.StatusCode);
            Assert.Equal(body, await again.Content.ReadAsStringAsync(Cancel));
        }

        await AssertFinishedAsync(poll, voter, session, (string)begun["questionAnswer"]!["id"]!);
        await AnswerSite.CloseAsync(site.Installation, poll);
        Assert.Equal(body, await (await voter.FinishAsync(poll, session)).Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task A_session_that_breaks_the_rules_stays_open()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var session = (string)(await voter.AddAsync(poll, poll.Words, 1, "x"))["surveyAnswer"]!["id"]!;

        var problem = await (await voter.FinishAsync(poll, session)).ProblemAsync(422, "invalid-ballot");
        Assert.NotEmpty(problem["errors"]!.AsObject());

        await voter.AddAsync(poll, poll.One, 0, session: session);
        Assert.Equal(HttpStatusCode.OK, (await voter.FinishAsync(poll, session)).StatusCode);
    }

    [Fact]
    public async Task Of_16_concurrent_finishes_all_say_the_one_vote()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var session = await voter.BeginAsync(poll);

        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => voter.FinishAsync(poll, session, i)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        var bodies = await Task.WhenAll(answers.Select(answer => answer.Content.ReadAsStringAsync(Cancel)));
        Assert.Single(bodies.Distinct());
        var vote = await CountedAsync(poll, voter);
        Assert.Equal((string?)Bodies.Parse(bodies[0])["voteId"], (string?)vote["voteId"]);
        Assert.Equal((string?)Bodies.Parse(bodies[0])["receipt"], (string?)vote["receipt"]);
        Assert.Equal("1", await ScalarAsync(poll, "ballots", "count(*)::text"));
    }

    [Fact]
    public async Task Answers_that_race_a_finish_are_in_its_vote_or_refused()
    {
        var (poll, voters) = (await site.PublishAsync(), await site.VotersAsync(6));
        var sessions = await Task.WhenAll(voters.Select(voter => voter.BeginAsync(poll)));

        var races = await Task.WhenAll(voters.Select(async (voter, i) =>
        {
            var second = voter.AnswerAsync(poll, poll.Two, 1, session: sessions[i], host: 1);
            var finish = voter.FinishAsync(poll, sessions[i]);
            return (Answer: await second, Finish: await finish);
        }));

        Assert.All(races, race => Assert.Equal(HttpStatusCode.OK, race.Finish.StatusCode));
        foreach (var voter in voters) await CountedAsync(poll, voter);
        var acknowledged = races.Count(race => race.Answer.StatusCode is HttpStatusCode.Created);
        foreach (var race in races.Where(race => race.Answer.StatusCode is not HttpStatusCode.Created))
            await race.Answer.ProblemAsync(409, "session-finished");
        Assert.Equal(
            $"{acknowledged}",
            await ScalarAsync(poll, "ballots", $"count(*) FILTER (WHERE {poll.Two.Options[1]} = ANY(options))::text"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_session_loses_to_a_ballot_that_was_cast_before_it(int option)
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var session = await voter.BeginAsync(poll);
        var cast = await voter.CastAsync(poll, option);
        Assert.Equal(HttpStatusCode.Accepted, cast.StatusCode);
        var vote = (string?)(await cast.JsonAsync())["voteId"];

        for (var attempt = 0; attempt < 2; attempt++)
        {
            var problem = await (await voter.FinishAsync(poll, session)).ProblemAsync(409, "duplicate-vote");
            Assert.Equal(vote, (string?)problem["voteId"]);
        }

        Assert.Equal("1 1", await ScalarAsync(poll, "sessions", "count(finished_at) || ' ' || count(superseded_by)"));
        await (await voter.AnswerAsync(poll, poll.Two, 0)).ProblemAsync(409, "session-finished");
        Assert.Equal(vote, (string?)(await CountedAsync(poll, voter))["voteId"]);
        await (await voter.FinishAsync(poll, session, 1)).ProblemAsync(409, "duplicate-vote");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_ballot_loses_to_a_session_that_was_finished_before_it(int option)
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var session = await voter.BeginAsync(poll);
        var finished = await (await voter.FinishAsync(poll, session)).JsonAsync();

        var problem = await (await voter.CastAsync(poll, option)).ProblemAsync(409, "duplicate-vote");

        Assert.Equal((string?)finished["voteId"], (string?)problem["voteId"]);
        Assert.Equal((string?)finished["voteId"], (string?)(await CountedAsync(poll, voter))["voteId"]);
        await (await voter.CastAsync(poll, option, 1)).ProblemAsync(409, "duplicate-vote");
    }

    [Fact]
    public async Task Only_a_finished_session_counts()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        await voter.BeginAsync(poll);

        var mine = await voter.SendAsync(HttpMethod.Get, $"/v1/surveys/{poll.Id}/votes/mine");

        await mine.ProblemAsync(404, "not-found");
    }

    private static async Task AssertFinishedAsync(Poll poll, AnsweringVoter voter, string session, string answer)
    {
        await (await voter.AnswerAsync(poll, poll.Two, 1)).ProblemAsync(409, "session-finished");
        await (await voter.AnswerAsync(poll, poll.Two, 1, session: session)).ProblemAsync(409, "session-finished");
        await (await voter.AnswerAsync(poll, poll.One, 4, session: session)).ProblemAsync(409, "session-finished");
        await (await voter.TakeBackAsync(poll, session, answer)).ProblemAsync(409, "session-finished");
    }

    /// <summary>Waits until the voter's vote is counted.</summary>
    private static async Task<JsonObject> CountedAsync(Poll poll, AnsweringVoter voter)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            var answer = await voter.SendAsync(HttpMethod.Get, $"/v1/surveys/{poll.Id}/votes/mine");
            var vote = answer.IsSuccessStatusCode ? await answer.JsonAsync() : null;
            if ((string?)vote?["status"] is "counted") return vote;
            await Task.Delay(50, deadline.Token);
        }
    }

    private async Task<string?> ScalarAsync(Poll poll, string table, string expression)
    {
        var tables = Enumerable.Range(0, 16).Select(shard => $"SELECT * FROM voting_{shard:00}.{table}");
        await using var query = site.Installation.Database.Source.CreateCommand(
            $"SELECT {expression} FROM ({string.Join(" UNION ALL ", tables)}) AS found WHERE survey = {poll.Id}");
        return (string?)await query.ExecuteScalarAsync(Cancel);
    }
}
