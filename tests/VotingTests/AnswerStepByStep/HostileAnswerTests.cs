using System.Text;

namespace VotingTests;

[Collection(nameof(AnsweringStepByStep))]
public sealed class HostileAnswerTests(AnswerSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_body_that_is_not_the_one_asked_for_is_malformed()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        foreach (var body in new[]
        {
            "", "null", "[]", "1", "{", "{}", "\"question\"", """{"option":"1"}""",
            """{"question":null,"option":"1"}""", """{"question":1,"option":"1"}""", """{"question":"1","option":1}""",
            """{"question":"1","option":["1"]}""", """{"question":"1","option":"1","text":1}""",
            """{"question":"1","option":"1","other":""}""", """{"Question":"1","option":"1"}""",
            """{"question":"1","question":"1","option":"1"}""", """{"question":"1","option":"1","surveyAnswerId":1}""",
            """{"question":"1","text":"\ud800"}""", """{"question":"1","text":"\u12"}""",
            $$"""{"question":"1","option":"1","text":"{{new string('x', 2001)}}"}""",
            $$"""{"question":{{new string('[', 40)}}{{new string(']', 40)}}}""",
        })
        {
            var answer = await voter.SendAsync(HttpMethod.Post, $"/v1/surveys/{poll.Id}/answers", body);
            Assert.True(answer.StatusCode is HttpStatusCode.BadRequest, $"{(int)answer.StatusCode} for {body}");
            await answer.ProblemAsync(400, "malformed-request");
        }
    }

    [Fact]
    public async Task A_body_over_64_KiB_or_of_another_type_is_refused()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var path = $"/v1/surveys/{poll.Id}/answers";

        var large = await voter.SendAsync(HttpMethod.Post, path, $$"""{"question":"{{new string('1', 70_000)}}"}""");
        await large.ProblemAsync(413, "payload-too-large");
        await (await voter.SendAsync(HttpMethod.Post, path)).ProblemAsync(415, "unsupported-media-type");
    }

    [Theory]
    [InlineData("POST", "/v1/surveys/0/answers")]
    [InlineData("POST", "/v1/surveys/1000000000000000000000000000000/answers")]
    [InlineData("POST", "/v1/surveys/%00/answers")]
    [InlineData("DELETE", "/v1/surveys/x/answers/y/items/z")]
    [InlineData("DELETE", "/v1/surveys/1/answers/%00/items/%ff")]
    [InlineData("PUT", "/v1/surveys/1/answers/%2e%2e/finish")]
    [InlineData("PUT", "/v1/surveys/99999999999/answers/x/finish")]
    public async Task What_cannot_exist_is_not_found(string method, string path)
    {
        var voter = await site.VoterAsync();

        var answer = await voter.SendAsync(
            new(method), path, method == "POST" ? """{"question":"1","option":"1"}""" : null);

        Assert.True((int)answer.StatusCode is 404 or 400, $"{(int)answer.StatusCode} for {path}");
    }

    [Theory]
    [InlineData("POST", "/v1/surveys/1/answers")]
    [InlineData("DELETE", "/v1/surveys/1/answers/x/items/y")]
    [InlineData("PUT", "/v1/surveys/1/answers/x/finish")]
    public async Task Nobody_answers_without_a_token(string method, string path)
    {
        using var request = new HttpRequestMessage(new(method), path)
        {
            Content = new StringContent("{}", Encoding.UTF8, "application/json"),
        };

        var answer = await site.Installation.Public.SendAsync(request, Cancel);

        await answer.ProblemAsync(401, "unauthenticated");
    }

    [Fact]
    public async Task Words_of_every_kind_come_back_as_they_were_given()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        foreach (var words in new[]
        {
            "'; DROP TABLE sessions; --", "{\"a\":1}", "\u2028\ud83d\udc69\u200d\ud83d\ude80", new string('€', 2000),
        })
        {
            var answer = await voter.AnswerAsync(poll, poll.Words, text: words);
            Assert.Equal(words, (string?)(await answer.JsonAsync())["questionAnswer"]!["text"]);
        }
    }
}
