using System.Text;

namespace EndToEndTests;

/// <summary>Well-formed bodies with something in them that has no place there.</summary>
public sealed class HostileBallotTests(Site site)
{
    [Fact]
    public async Task Arrays_that_hold_nulls_or_too_much_are_malformed_and_no_ballot_is_recorded()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var (question, option) = (survey.Question(0), survey.Option(0, 0));
        var answer = $$"""{"question":"{{question}}","options":["{{option}}"]}""";
        foreach (var body in new[]
        {
            """{"answers":[null]}""",
            """{"answers":[[]]}""",
            """{"answers":null}""",
            """{"answers":{}}""",
            $$"""{"answers":[{{answer}},null]}""",
            $$"""{"answers":[{"question":"{{question}}","options":[null]}]}""",
            $$"""{"answers":[{"question":"{{question}}","options":[1]}]}""",
            $$"""{"answers":[{"question":{{question}},"options":["{{option}}"]}]}""",
            $$"""{"answers":[{"question":"{{question}}","options":"{{option}}"}]}""",
            $$"""{"answers":[{"question":null,"options":["{{option}}"]}]}""",
            $$"""{"answers":[{"question":"{{question}}"}]}""",
            $$"""{"answers":[{"options":["{{option}}"]}]}""",
            $$"""{"answers":[{"question":"{{question}}","options":["{{option}}"],"weight":2}]}""",
            $$"""{"Answers":[{{answer}}]}""",
            $$"""{"answers":[{{answer}}],"answers":[{{answer}}]}""",
            $$"""{"answers":[{{Many(answer, 51)}}]}""",
            $$"""{"answers":[{{Many("{}", 5000)}}]}""",
            $$"""{"answers":[{"question":"{{question}}","options":[{{Many("\"1\"", 501)}}]}]}""",
            $$"""{"answers":[{"question":"{{question}}","options":[{{Many("\"1\"", 9000)}}]}]}""",
        })
        {
            (await site.Public.PostAsync(survey.Votes, voter.AccessToken, body)).IsProblem("malformed-request");
        }

        (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsProblem("not-found");
        var result = await site.FinishAsync(survey);
        Assert.Equal(0, result.GetProperty("totalResponses").GetInt64());
    }

    [Fact]
    public async Task Free_text_comes_in_every_script_but_without_the_null_character()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        string Ballot(string text) => $$"""
            {"answers":[{"question":"{{survey.Question(0)}}","options":["{{survey.Option(0, 0)}}"]},
            {"question":"{{survey.Question(1)}}","options":[],"text":"{{text}}"} ]}
            """;

        (await site.Public.PostAsync(survey.Votes, voter.AccessToken, Ballot("a\\u0000b")))
            .IsProblem("invalid-ballot").Names("answers[1].text");
        var odd = Ballot(
            "\u202e\ufeff\uffff \ud83d\uddf3 '; DROP TABLE voting.surveys; -- <script>\\n\\t\\u0007 e\u0301");
        (await site.Public.PostAsync(survey.Votes, voter.AccessToken, odd)).IsJson(202);
        Assert.Equal(1, (await site.FinishAsync(survey)).GetProperty("totalResponses").GetInt64());
    }

    [Fact]
    public async Task A_byte_order_mark_before_a_ballot_does_not_make_another_vote_of_it()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var first = (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0))).IsJson(202);

        var marked = await site.Public.SendAsync(
            "POST", survey.Votes, voter.AccessToken,
            Door.Bytes([0xef, 0xbb, 0xbf, .. Encoding.UTF8.GetBytes(survey.Ballot(0))],
                "application/json; charset=utf-8"));

        Assert.Equal(first.Text, marked.IsJson(200).Text);
    }

    [Theory]
    [InlineData("\"title\":\"a\\u0000b\"", "title")]
    [InlineData("\"title\":\"a\\u0007b\"", "title")]
    [InlineData("\"title\":\"   \"", "title")]
    [InlineData("\"title\":\"\\u2003\"", "title")]
    [InlineData("\"title\":\"t\",\"eligibility\":{\"group\":\"\\u0000\"}", "eligibility.group")]
    [InlineData("\"title\":\"t\",\"eligibility\":{\"countries\":[\"br\"]}", "eligibility.countries[0]")]
    [InlineData("\"title\":\"t\",\"eligibility\":{\"countries\":[\"BR\",\"BR\"]}", "eligibility.countries[1]")]
    [InlineData("\"title\":\"t\",\"eligibility\":{\"minimumAge\":-1}", "eligibility.minimumAge")]
    [InlineData("\"title\":\"t\",\"opensAt\":\"9999-12-31T23:59:59Z\"", "opensAt")]
    [InlineData("\"title\":\"t\",\"opensAt\":\"2100-01-01T00:00:00Z\",\"closesAt\":\"2099-01-01T00:00:00Z\"",
        "closesAt")]
    public async Task A_survey_with_something_out_of_place_is_invalid(string members, string named)
    {
        var body = $$"""
            {{{members}},"questions":[{"title":"Q","min":0,"max":1,"order":0,
            "options":[{"text":"A","order":0},{"text":"B","order":1}]}]}
            """;

        (await site.Internal.PostAsync("/v1/internal/surveys", site.Manager, body)).IsProblem("invalid-survey")
            .Names(named);
    }

    [Fact]
    public async Task A_survey_over_a_limit_or_with_nulls_in_it_is_malformed()
    {
        var option = """{"text":"A","order":0}""";
        var image = $"\"A\",\"image\":\"https://a/{new string('x', 2048)}\"";
        var question = $$"""{"title":"Q","min":0,"max":1,"order":0,"options":[{{option}},{{option}}]}""";
        var crowded = question.Replace(option, Many(option, 501), StringComparison.Ordinal);
        var named = question.Replace("{\"title\"", "{\"id\":\"1\",\"title\"", StringComparison.Ordinal);
        foreach (var body in new[]
        {
            """{"title":"t","questions":[null]}""",
            """{"title":"t","questions":null}""",
            """{"title":null,"questions":[]}""",
            """{"title":"t"}""",
            $$"""{"title":"t","questions":[{{question.Replace(option, "null", StringComparison.Ordinal)}}]}""",
            $$"""{"title":"t","questions":[{{question}}],"eligibility":{"countries":[null]} }""",
            $$"""{"title":"t","questions":[{{question}}],"eligibility":{"age":1} }""",
            $$"""{"title":"t","questions":[{{question}}],"id":"1"}""",
            $$"""{"title":"t","questions":[{{question}}],"status":"published"}""",
            $$"""{"title":"t","questions":[{{named}}]}""",
            $$"""{"title":"{{new string('x', 201)}}","questions":[{{question}}]}""",
            $$"""{"title":"t","questions":[{{Many(question, 51)}}]}""",
            $$"""{"title":"t","questions":[{{Many("{}", 5000)}}]}""",
            $$"""{"title":"t","questions":[{{crowded}}]}""",
            $$"""{"title":"t","questions":[{{question.Replace("\"A\"", Quoted(201), StringComparison.Ordinal)}}]}""",
            $$"""{"title":"t","questions":[{{question.Replace("\"A\"", image, StringComparison.Ordinal)}}]}""",
            $$"""{"title":"t","questions":[{{question}}],"opensAt":"2100-13-01T00:00:00Z"}""",
            $$"""{"title":"t","questions":[{{question}}],"opensAt":"2100-01-01T00:00:00"}""",
            $$"""{"title":"t","questions":[{{question}}],"opensAt":4102444800}""",
            $$"""{"title":"t","questions":[{{question}}],"opensAt":"0001-01-01T00:00:00+14:00"}""",
        })
        {
            (await site.Internal.PostAsync("/v1/internal/surveys", site.Manager, body)).IsProblem("malformed-request");
        }
    }

    private static string Quoted(int length) => $"\"{new string('x', length)}\"";

    private static string Many(string item, int count) => string.Join(',', Enumerable.Repeat(item, count));
}
