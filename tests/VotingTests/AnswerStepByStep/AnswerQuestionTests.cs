using System.Text.Json.Nodes;

namespace VotingTests;

[Collection(nameof(AnsweringStepByStep))]
public sealed class AnswerQuestionTests(AnswerSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_answer_begins_a_session_and_further_ones_name_it()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());

        var first = await voter.AddAsync(poll, poll.One, 1, "");

        var session = first["surveyAnswer"]!;
        Assert.Equal(["surveyAnswer", "questionAnswer"], first.Select(member => member.Key));
        Assert.Equal(["id", "survey", "initialized", "finished"], session.AsObject().Select(member => member.Key));
        Assert.Equal(poll.Id, (string?)session["survey"]);
        Assert.Null(session["finished"]);
        Assert.EndsWith("Z", (string?)session["initialized"], StringComparison.Ordinal);
        AssertAnswer(first["questionAnswer"]!, session["id"], poll.One, 1, "");

        var second = await voter.AddAsync(poll, poll.Two, 0, "", (string?)session["id"]);
        AssertAnswer(second, session["id"], poll.Two, 0, "");
        Assert.NotEqual((string?)first["questionAnswer"]!["id"], (string?)second["id"]);
    }

    [Fact]
    public async Task An_answer_that_names_no_session_goes_into_the_one_there_is()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var first = await voter.AddAsync(poll, poll.One, 0);

        var second = await voter.AddAsync(poll, poll.Two, 1);

        Assert.Equal(first["surveyAnswer"]!.ToJsonString(), second["surveyAnswer"]!.ToJsonString());
        AssertAnswer(second["questionAnswer"]!, first["surveyAnswer"]!["id"], poll.Two, 1, "");
    }

    [Fact]
    public async Task Choosing_the_same_option_again_answers_with_the_first_in_every_process()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var first = await voter.AddAsync(poll, poll.One, 0);

        for (var host = 0; host < 2; host++)
        {
            var again = await voter.AnswerAsync(poll, poll.One, 0, host: host);
            Assert.Equal(HttpStatusCode.OK, again.StatusCode);
            Assert.Equal(first.ToJsonString(), (await again.JsonAsync()).ToJsonString());
        }
    }

    [Fact]
    public async Task More_options_than_the_question_takes_are_refused_until_one_is_taken_back()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var session = await voter.BeginAsync(poll);
        await (await voter.AnswerAsync(poll, poll.One, 1)).ProblemAsync(422, "invalid-ballot");
        var first = await voter.AddAsync(poll, poll.Two, 0, session: session);
        await voter.AddAsync(poll, poll.Two, 1, session: session);
        var full = await voter.AnswerAsync(poll, poll.Two, 2, session: session);
        var problem = await full.ProblemAsync(422, "invalid-ballot");
        Assert.NotNull(problem["errors"]!["option"]);

        var gone = await voter.TakeBackAsync(poll, session, (string)first["id"]!);
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        Assert.Empty(await gone.Content.ReadAsByteArrayAsync(Cancel));
        await (await voter.TakeBackAsync(poll, session, (string)first["id"]!)).ProblemAsync(404, "not-found");

        await voter.AddAsync(poll, poll.Two, 2, session: session);
        Assert.NotEqual(
            (string?)first["id"],
            (string?)(await (await voter.AnswerAsync(poll, poll.Two, 1, session: session)).JsonAsync())["id"]);
        await (await voter.AnswerAsync(poll, poll.Two, 0, session: session)).ProblemAsync(422, "invalid-ballot");
    }

    [Fact]
    public async Task Of_32_concurrent_choices_in_two_processes_a_question_takes_one()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 32).Select(i => voter.AnswerAsync(poll, poll.One, i, host: i)));

        var statuses = answers.Select(answer => (int)answer.StatusCode).ToList();
        Assert.Equal(1, statuses.Count(status => status == 201));
        Assert.Equal(31, statuses.Count(status => status == 422));
        Assert.Equal(1L, await CountAsync(poll));
    }

    [Fact]
    public async Task Concurrent_first_answers_of_many_voters_begin_one_session_each()
    {
        var (poll, voters) = (await site.PublishAsync(), await site.VotersAsync(8));

        var answers = await Task.WhenAll(voters.SelectMany(voter => new[]
        {
            voter.AnswerAsync(poll, poll.One, 0), voter.AnswerAsync(poll, poll.Two, 0, host: 1),
            voter.AnswerAsync(poll, poll.Two, 1), voter.AnswerAsync(poll, poll.Words, text: "why", host: 1),
        }));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Created, answer.StatusCode));
        var sessions = new HashSet<string>();
        foreach (var answer in answers) sessions.Add((string)(await answer.JsonAsync())["surveyAnswer"]!["id"]!);
        Assert.Equal(8, sessions.Count);
        Assert.Equal(32L, await CountAsync(poll));
    }

    [Fact]
    public async Task The_last_words_to_a_question_stand_and_go_with_its_last_answer()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var words = await voter.AddAsync(poll, poll.Words, text: "first");
        var session = (string)words["surveyAnswer"]!["id"]!;
        AssertAnswer(words["questionAnswer"]!, words["surveyAnswer"]!["id"], poll.Words, null, "first");

        var option = await voter.AddAsync(poll, poll.Words, 0, "second", session);
        Assert.Equal("second", (string?)option["text"]);
        Assert.Equal("second", await TextAsync(voter.AnswerAsync(poll, poll.Words, 0, session: session)));
        Assert.Equal("", await TextAsync(voter.AnswerAsync(poll, poll.Words, 0, "", session)));
        Assert.Equal("third", await TextAsync(voter.AnswerAsync(poll, poll.Words, text: "third", session: session)));

        foreach (var id in new[] { words["questionAnswer"]!["id"], option["id"] })
        {
            var gone = await voter.TakeBackAsync(poll, session, (string)id!);
            Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        }

        Assert.Equal("", (string?)(await voter.AddAsync(poll, poll.Words, 0, session: session))["text"]);
    }

    [Fact]
    public async Task What_the_survey_does_not_offer_is_refused()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var path = $"/v1/surveys/{poll.Id}/answers";
        foreach (var body in new[]
        {
            """{"question":"999999","option":"1"}""",
            """{"question":"abc","option":"1"}""",
            $$"""{"question":"{{poll.One.Id}}","option":"{{poll.Two.Options[0]}}"}""",
            $$"""{"question":"{{poll.One.Id}}","option":"0"}""",
            $$"""{"question":"{{poll.One.Id}}","option":"-1"}""",
            $$"""{"question":"{{poll.One.Id}}","option":"{{poll.One.Options[0]}}","text":"no words here"}""",
            $$"""{"question":"{{poll.One.Id}}"}""",
            $$"""{"question":"{{poll.Words.Id}}","text":""}""",
            $$"""{"question":"{{poll.Words.Id}}","text":"a\u0000b"}""",
        })
        {
            await (await voter.SendAsync(HttpMethod.Post, path, body)).ProblemAsync(422, "invalid-ballot");
        }

        Assert.Equal(0L, await CountAsync(poll));
    }

    [Fact]
    public async Task Another_voters_session_is_not_found()
    {
        var (poll, voters) = (await site.PublishAsync(), await site.VotersAsync(2));
        var first = await voters[0].AddAsync(poll, poll.One, 0);
        var (session, answer) = ((string)first["surveyAnswer"]!["id"]!, (string)first["questionAnswer"]!["id"]!);

        foreach (var named in new[] { session, "", "x", new string('A', 22), new string('9', 500) })
            await (await voters[1].AnswerAsync(poll, poll.One, 0, session: named)).ProblemAsync(404, "not-found");
        var own = await voters[1].BeginAsync(poll);
        await (await voters[1].TakeBackAsync(poll, session, answer)).ProblemAsync(404, "not-found");
        await (await voters[1].TakeBackAsync(poll, own, answer)).ProblemAsync(404, "not-found");
        await (await voters[1].TakeBackAsync(poll, own, "x")).ProblemAsync(404, "not-found");
        await (await voters[1].FinishAsync(poll, session)).ProblemAsync(404, "not-found");
        await (await voters[0].FinishAsync(poll, own)).ProblemAsync(404, "not-found");
        Assert.Equal(HttpStatusCode.OK, (await voters[0].AnswerAsync(poll, poll.One, 0, session: session)).StatusCode);
    }

    [Fact]
    public async Task A_named_session_that_was_never_begun_is_not_found()
    {
        var (first, second, voter) = (await site.PublishAsync(), await site.PublishAsync(), await site.VoterAsync());
        var session = await voter.BeginAsync(first);

        await (await voter.AnswerAsync(second, second.One, 0, session: session)).ProblemAsync(404, "not-found");
        await (await voter.FinishAsync(second, session)).ProblemAsync(404, "not-found");
        await (await voter.AnswerAsync(second with { Id = "999999" }, second.One, 0)).ProblemAsync(404, "not-found");
        await (await voter.AnswerAsync(second with { Id = "abc" }, second.One, 0)).ProblemAsync(404, "not-found");
    }

    [Fact]
    public async Task A_survey_that_is_finished_takes_no_answers_but_says_remembered_ones_again()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var first = await (await voter.AnswerAsync(poll, poll.One, 0, key: "k")).JsonAsync();
        await AnswerSite.CloseAsync(site.Installation, poll);
        var session = (string)first["surveyAnswer"]!["id"]!;

        await (await voter.AnswerAsync(poll, poll.Two, 0)).ProblemAsync(409, "survey-not-open");
        await (await voter.AnswerAsync(poll, poll.Two, 0, key: "other")).ProblemAsync(409, "survey-not-open");
        await (await voter.TakeBackAsync(poll, session, (string)first["questionAnswer"]!["id"]!))
            .ProblemAsync(409, "survey-not-open");
        await (await voter.FinishAsync(poll, session)).ProblemAsync(409, "survey-not-open");
        var again = await voter.AnswerAsync(poll, poll.One, 0, key: "k");
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal(first.ToJsonString(), (await again.JsonAsync()).ToJsonString());
    }

    private async Task<long> CountAsync(Poll poll)
    {
        var tables = Enumerable.Range(0, 16)
            .Select(shard => $"SELECT survey FROM voting_{shard:00}.session_answers");
        await using var query = site.Installation.Database.Source.CreateCommand(
            $"SELECT count(*) FROM ({string.Join(" UNION ALL ", tables)}) AS answers WHERE survey = {poll.Id}");
        return (long)(await query.ExecuteScalarAsync(Cancel))!;
    }

    private static async Task<string?> TextAsync(Task<HttpResponseMessage> request)
    {
        var answer = await request;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (string?)(await answer.JsonAsync())["text"];
    }

    private static void AssertAnswer(
        JsonNode answer, JsonNode? session, PollQuestion question, int? option, string text)
    {
        Assert.Equal(
            ["id", "surveyAnswer", "question", "option", "text"], answer.AsObject().Select(member => member.Key));
        Assert.Equal((string?)session, (string?)answer["surveyAnswer"]);
        Assert.Equal(question.Id, (string?)answer["question"]);
        Assert.Equal(option is { } chosen ? question.Options[chosen] : null, (string?)answer["option"]);
        Assert.Equal(text, (string?)answer["text"]);
        Assert.NotEmpty((string)answer["id"]!);
    }
}
