using System.Text.Json;

namespace EndToEndTests;

public sealed class StepByStepTests(Site site)
{
    [Fact]
    public async Task A_session_is_answered_question_by_question_and_cast_by_its_finish()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());

        var first = (await AnswerAsync(survey, voter.AccessToken, 0, 0)).IsJson(201).IsNotStored().Json;

        Assert.Equal(["surveyAnswer", "questionAnswer"], Members(first));
        var (session, question) = (first.GetProperty("surveyAnswer"), first.GetProperty("questionAnswer"));
        Assert.Equal(["id", "survey", "initialized", "finished"], Members(session));
        Assert.Equal(survey.Id, Text(session, "survey"));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", Text(session, "initialized"));
        Assert.Equal(JsonValueKind.Null, session.GetProperty("finished").ValueKind);
        Assert.Equal(["id", "surveyAnswer", "question", "option", "text"], Members(question));
        Assert.Equal(Text(session, "id"), Text(question, "surveyAnswer"));
        Assert.Equal((survey.Question(0), survey.Option(0, 0), ""),
            (Text(question, "question"), Text(question, "option"), Text(question, "text")));

        var id = Text(session, "id");
        var second = (await AnswerAsync(survey, voter.AccessToken, 1, 0, id)).IsJson(201).IsNotStored().Json;
        Assert.Equal(["id", "surveyAnswer", "question", "option", "text"], Members(second));
        Assert.Equal(id, Text(second, "surveyAnswer"));

        var finish = (await FinishAsync(survey, voter.AccessToken, id)).IsJson(200).IsNotStored();
        Assert.Equal(["id", "survey", "initialized", "finished", "voteId", "receipt"], Members(finish.Json));
        Assert.Equal((id, survey.Id, Text(session, "initialized")),
            (finish.Member("id"), finish.Member("survey"), finish.Member("initialized")));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", finish.Member("finished"));
        Assert.Equal(finish.Member("voteId"), Jwt.Parse(finish.Member("receipt")).Claim("vote_id"));

        Assert.Equal(finish.Text, (await FinishAsync(survey, voter.AccessToken, id)).IsJson(200).Text);
        (await AnswerAsync(survey, voter.AccessToken, 0, 1, id)).IsProblem("session-finished");
        (await AnswerAsync(survey, voter.AccessToken, 0, 1)).IsProblem("session-finished");
        (await TakeBackAsync(survey, voter.AccessToken, id, Text(question, "id"))).IsProblem("session-finished");
        var mine = (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsJson(200);
        Assert.Equal(finish.Member("voteId"), mine.Member("voteId"));
        Assert.Equal(finish.Member("receipt"), mine.Member("receipt"));
        Assert.Equal(1, (await site.FinishAsync(survey)).GetProperty("totalResponses").GetInt64());
        Assert.Equal(finish.Text, (await FinishAsync(survey, voter.AccessToken, id)).IsJson(200).Text);
    }

    [Fact]
    public async Task An_option_counts_once_and_no_more_are_taken_than_the_question_allows()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var first = (await AnswerAsync(survey, voter.AccessToken, 0, 0)).IsJson(201).Json;
        var id = Text(first.GetProperty("surveyAnswer"), "id");

        var again = (await AnswerAsync(survey, voter.AccessToken, 0, 0, id)).IsJson(200).Json;
        Assert.Equal(first.GetProperty("questionAnswer").GetRawText(), again.GetRawText());
        var unnamed = (await AnswerAsync(survey, voter.AccessToken, 0, 0)).IsJson(200).Json;
        Assert.Equal(first.GetRawText(), unnamed.GetRawText());
        var second = (await AnswerAsync(survey, voter.AccessToken, 0, 1)).IsJson(201).Json;
        Assert.Equal(id, Text(second.GetProperty("surveyAnswer"), "id"));
        (await AnswerAsync(survey, voter.AccessToken, 0, 2, id)).IsProblem("invalid-ballot");

        var item = Text(second.GetProperty("questionAnswer"), "id");
        Assert.Empty((await TakeBackAsync(survey, voter.AccessToken, id, item)).Is(204).Bytes);
        (await AnswerAsync(survey, voter.AccessToken, 0, 2, id)).IsJson(201);
        var vote = (await FinishAsync(survey, voter.AccessToken, id)).IsJson(200);
        var options = (await site.FinishAsync(survey)).GetProperty("questions")[0].GetProperty("options");
        Assert.Equal([1, 0, 1], options.EnumerateArray().Select(option => option.GetProperty("votes").GetInt32()));
        Assert.NotEmpty(vote.Member("voteId"));
    }

    [Fact]
    public async Task Another_voters_session_is_not_there()
    {
        var (survey, voter, stranger) = (await site.OpenSurveyAsync(), await site.VoterAsync(),
            await site.VoterAsync());
        var first = (await AnswerAsync(survey, voter.AccessToken, 0, 0)).IsJson(201).Json;
        var (id, item) = (Text(first.GetProperty("surveyAnswer"), "id"),
            Text(first.GetProperty("questionAnswer"), "id"));

        (await AnswerAsync(survey, stranger.AccessToken, 0, 1, id)).IsProblem("not-found");
        (await TakeBackAsync(survey, stranger.AccessToken, id, item)).IsProblem("not-found");
        (await FinishAsync(survey, stranger.AccessToken, id)).IsProblem("not-found");
        var other = await site.OpenSurveyAsync();
        (await FinishAsync(other, voter.AccessToken, id)).IsProblem("not-found");
        foreach (var odd in new[] { "", "abc", "1", new string('A', 22), new string('!', 22), new string('x', 5000),
            "\\u0000" })
            (await AnswerAsync(survey, voter.AccessToken, 0, 1, odd)).IsProblem("not-found");
        (await FinishAsync(survey, voter.AccessToken, id)).IsJson(200);
    }

    [Fact]
    public async Task A_session_and_a_whole_ballot_exclude_each_other()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var first = (await AnswerAsync(survey, voter.AccessToken, 0, 0)).IsJson(201).Json;
        var id = Text(first.GetProperty("surveyAnswer"), "id");
        var vote = (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(1))).IsJson(202);

        var late = await FinishAsync(survey, voter.AccessToken, id);

        Assert.Equal(vote.Member("voteId"), late.IsProblem("duplicate-vote").Member("voteId"));
        var next = await site.VoterAsync();
        first = (await AnswerAsync(survey, next.AccessToken, 0, 0)).IsJson(201).Json;
        var finished = (await FinishAsync(survey, next.AccessToken, Text(first.GetProperty("surveyAnswer"), "id")))
            .IsJson(200);
        var refused = await site.Public.PostAsync(survey.Votes, next.AccessToken, survey.Ballot(1));
        Assert.Equal(finished.Member("voteId"), refused.IsProblem("duplicate-vote").Member("voteId"));
    }

    [Fact]
    public async Task What_breaks_a_rule_is_refused_and_an_unfinished_session_counts_nothing()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var id = Text((await AnswerAsync(survey, voter.AccessToken, 1, 0)).IsJson(201).Json.GetProperty("surveyAnswer"),
            "id");

        // The first question must be answered.
        (await FinishAsync(survey, voter.AccessToken, id)).IsProblem("invalid-ballot");
        foreach (var (question, option) in new[]
        {
            (survey.Question(0), survey.Option(1, 0)), (survey.Question(0), "999999999"), (survey.Question(0), "abc"),
            ("999999999", survey.Option(0, 0)), ("", ""), ("1000000000000000000000000000000", "0"),
        })
        {
            (await site.Public.PostAsync($"{survey.Public}/answers", voter.AccessToken,
                $$"""{"question":"{{question}}","option":"{{option}}","text":""}""")).IsProblem("invalid-ballot");
        }

        (await site.Public.PostAsync($"{survey.Public}/answers", voter.AccessToken,
            $$"""{"question":"{{survey.Question(0)}}","option":"{{survey.Option(0, 0)}}","text":"why"}"""))
                .IsProblem("invalid-ballot");
        Assert.Equal(0, (await site.FinishAsync(survey)).GetProperty("totalResponses").GetInt64());
        (await AnswerAsync(survey, voter.AccessToken, 0, 0, id)).IsProblem("survey-not-open");
    }

    private Task<Answer> AnswerAsync(SampleSurvey survey, string token, int question, int option,
        string? session = null) =>
        site.Public.PostAsync($"{survey.Public}/answers", token, session is null
            ? $$"""
              {"question":"{{survey.Question(question)}}","option":"{{survey.Option(question, option)}}","text":""}
              """
            : $$"""
              {"surveyAnswerId":"{{session}}","question":"{{survey.Question(question)}}",
              "option":"{{survey.Option(question, option)}}","text":""}
              """);

    private Task<Answer> FinishAsync(SampleSurvey survey, string token, string session) =>
        site.Public.PutAsync($"{survey.Public}/answers/{session}/finish", token);

    private Task<Answer> TakeBackAsync(SampleSurvey survey, string token, string session, string item) =>
        site.Public.DeleteAsync($"{survey.Public}/answers/{session}/items/{item}", token);

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static IEnumerable<string> Members(JsonElement json) =>
        json.EnumerateObject().Select(member => member.Name);
}
