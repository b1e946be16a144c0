using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace EndToEndTests;

public sealed class CastVoteTests(Site site)
{
    [Fact]
    public async Task An_accepted_ballot_is_answered_with_a_vote_id_and_a_receipt_that_anybody_can_check()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());

        var answer = await site.Public.PostAsync(
            survey.Votes, voter.AccessToken, survey.Ballot(0, 1), ("Idempotency-Key", "6f1c"));

        var vote = answer.IsJson(202).IsNotStored().Json;
        Assert.Equal(
            ["voteId", "survey", "status", "acceptedAt", "receipt"],
            vote.EnumerateObject().Select(member => member.Name));
        Assert.Equal(survey.Id, answer.Member("survey"));
        Assert.Equal("accepted", answer.Member("status"));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", answer.Member("acceptedAt"));
        Assert.Matches("^[A-Za-z0-9_-]{22}$", answer.Member("voteId"));

        var receipt = Jwt.Parse(answer.Member("receipt"));
        Assert.Equal("vote-receipt+jwt", receipt.Head("typ"));
        Assert.Equal("ES256", receipt.Head("alg"));
        var jwks = (await site.Public.GetAsync("/.well-known/jwks.json")).IsJson(200).Json;
        var key = Assert.Single(
            jwks.GetProperty("keys").EnumerateArray(), key =>
                key.GetProperty("kid").GetString() == receipt.Head("kid"));
        Assert.Equal("EC", key.GetProperty("kty").GetString());
        Assert.Equal("P-256", key.GetProperty("crv").GetString());
        Assert.True(receipt.IsSignedBy(key));
        Assert.Equal(
            ["iss", "vote_id", "survey_id", "accepted_at", "event_digest"],
            receipt.Payload.EnumerateObject().Select(member => member.Name));
        var configuration = (await site.Public.GetAsync("/.well-known/openid-configuration")).IsJson(200);
        Assert.Equal(configuration.Member("issuer"), receipt.Claim("iss"));
        Assert.Equal(answer.Member("voteId"), receipt.Claim("vote_id"));
        Assert.Equal(survey.Id, receipt.Claim("survey_id"));
        var acceptedAt = DateTimeOffset.Parse(answer.Member("acceptedAt"), CultureInfo.InvariantCulture);
        Assert.Equal(acceptedAt.ToUnixTimeSeconds() / 60 * 60, receipt.Payload.GetProperty("accepted_at").GetInt64());
        Assert.Equal(32, Base64Url.DecodeFromChars(receipt.Claim("event_digest")).Length);
        Assert.NotEqual(Jwt.Parse(voter.AccessToken).Head("kid"), receipt.Head("kid"));
    }

    [Fact]
    public async Task The_same_ballot_again_gets_the_first_body_however_it_is_written()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var why = $$"""{"question":"{{survey.Question(1)}}","options":["{{survey.Option(1, 0)}}"],"text":""}""";
        string First(string options) => $$"""{"question":"{{survey.Question(0)}}","options":[{{options}}]}""";
        var (a, b) = ($"\"{survey.Option(0, 0)}\"", $"\"{survey.Option(0, 1)}\"");

        var first = await site.Public.PostAsync(
            survey.Votes, voter.AccessToken, $$"""{"answers":[{{First($"{a},{b}")}},{{why}}]}""");

        first.IsJson(202);
        foreach (var same in new[]
        {
            $$"""{"answers":[{{First($"{a},{b}")}},{{why}}]}""",
            $$""" { "answers" : [ {{why}} , {{First($"{b},{a}")}} ] } """,
            $$"""{"answers":[{{why}},{{First($"{b},{a},{b}")}}]}""",
            $$"""{"answers":[{{why.Replace(",\"text\":\"\"", "", StringComparison.Ordinal)}},{{First($"{b},{a}")}}]}""",
        })
        {
            var repeat = await site.Public.PostAsync(survey.Votes, voter.AccessToken, same);
            Assert.Equal(first.Text, repeat.IsJson(200).IsNotStored().Text);
        }
    }

    [Fact]
    public async Task Another_ballot_of_the_same_voter_is_a_duplicate_that_names_the_first()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var first = (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0))).IsJson(202);

        var second = await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(1));

        Assert.Equal(first.Member("voteId"), second.IsProblem("duplicate-vote").IsNotStored().Member("voteId"));
        var result = await site.FinishAsync(survey);
        Assert.Equal(1, result.GetProperty("totalResponses").GetInt64());
        // An already known vote gets its first answer even when the survey has closed since.
        var late = await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0));
        Assert.Equal(first.Text, late.IsJson(200).Text);
        (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(1))).IsProblem("duplicate-vote");
        var stranger = await site.VoterAsync();
        (await site.Public.PostAsync(survey.Votes, stranger.AccessToken, survey.Ballot(0)))
            .IsProblem("survey-not-open");
    }

    [Fact]
    public async Task An_idempotency_key_is_taken_quoted_or_not_and_with_one_ballot_only()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        Task<Answer> Cast(string key, int option) => site.Public.PostAsync(
            survey.Votes, voter.AccessToken, survey.Ballot(option), ("Idempotency-Key", key));
        var longest = new string('~', 64);

        var first = (await Cast($"\"{longest}\"", 0)).IsJson(202);

        Assert.Equal(first.Text, (await Cast(longest, 0)).IsJson(200).Text);
        Assert.Equal(first.Text, (await Cast($"\"{longest}\"", 0)).IsJson(200).Text);
        Assert.Equal(first.Text, (await Cast("another", 0)).IsJson(200).Text);
        (await Cast(longest, 1)).IsProblem("idempotency-key-reused");
        (await Cast("another", 1)).IsProblem("duplicate-vote");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"\"")]
    [InlineData("\"")]
    [InlineData("two words")]
    [InlineData("\"quote\"inside\"")]
    [InlineData("\"unended")]
    [InlineData("tab\there")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    [InlineData("\"12345678901234567890123456789012345678901234567890123456789012345\"")]
    public async Task A_malformed_idempotency_key_is_refused_and_nothing_is_recorded(string key)
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());

        var answer = await site.Public.PostAsync(
            survey.Votes, voter.AccessToken, survey.Ballot(0), ("Idempotency-Key", key));

        answer.IsProblem("malformed-request");
        (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsProblem("not-found");
    }

    [Fact]
    public async Task A_ballot_that_breaks_the_surveys_rules_is_told_which()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var other = await site.DraftAsync();
        var (q0, q1, o0) = (survey.Question(0), survey.Question(1), survey.Option(0, 0));
        var longest = new string('x', 2_000);

        async Task Refused(string answers, params string[] names)
        {
            var answer = await site.Public.PostAsync(survey.Votes, voter.AccessToken,
                $$"""{"answers":[{{answers}}]}""");
            answer.IsProblem("invalid-ballot").Names(names);
        }

        await Refused("", "answers");
        await Refused($$"""{"question":"{{q0}}","options":[]}""", "answers[0].options");
        await Refused(
            $$"""{"question":"{{q0}}","options":["{{o0}}","{{survey.Option(0, 1)}}","{{survey.Option(0, 2)}}"]}""",
            "answers[0].options");
        await Refused($$"""{"question":"{{q0}}","options":["{{survey.Option(1, 0)}}"]}""", "answers[0].options[0]");
        await Refused($$"""{"question":"{{q0}}","options":["{{other.Option(0, 0)}}"]}""", "answers[0].options[0]");
        await Refused(
            $$"""{"question":"{{q0}}","options":["{{o0}}"]},{"question":"{{other.Question(0)}}","options":[]}""",
            "answers[1].question");
        await Refused(
            $$"""{"question":"{{q0}}","options":["{{o0}}"]},{"question":"{{q0}}","options":["{{o0}}"]}""",
            "answers[1].question");
        await Refused($$"""{"question":"{{q0}}","options":["{{o0}}"],"text":"why"}""", "answers[0].text");
        foreach (var id in new[] { "", "0", "-1", "01", "+1", "1.0", "1e0", "abc", "999999999",
            "1000000000000000000000000000000" })
        {
            await Refused($$"""{"question":"{{q0}}","options":["{{id}}"]}""", "answers[0].options[0]");
            await Refused(
                $$"""{"question":"{{id}}","options":["{{o0}}"]},{"question":"{{q0}}","options":["{{o0}}"]}""",
                "answers[0].question");
        }

        (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsProblem("not-found");
        var text =
            $$"""{"question":"{{q0}}","options":["{{o0}}"]},{"question":"{{q1}}","options":[],"text":"{{longest}}"}""";
        (await site.Public.PostAsync(
            survey.Votes, voter.AccessToken,
            $$"""{"answers":[{{text.Replace("x\"", "xx\"", StringComparison.Ordinal)}}]}"""))
            .IsProblem("malformed-request").Names("answers[1].text");
        (await site.Public.PostAsync(survey.Votes, voter.AccessToken, $$"""{"answers":[{{text}}]}""")).IsJson(202);
    }

    [Fact]
    public async Task Nobody_is_eligible_where_more_is_asked_than_is_known_of_a_voter()
    {
        var json = Samples.Elections.Replace(
            "\"questions\"", "\"eligibility\":{\"verified\":true,\"countries\":[\"BR\"]},\"questions\"",
            StringComparison.Ordinal);
        var (survey, voter) = (await site.OpenSurveyAsync(json), await site.VoterAsync());

        (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0))).IsProblem("not-eligible");
    }

    [Fact]
    public async Task However_many_requests_race_one_is_counted_and_all_are_told_of_it()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(i =>
            site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(i % 3))));

        var accepted = answers.Where(answer => answer.Status is 200 or 202).ToArray();
        Assert.NotEmpty(accepted);
        Assert.Single(accepted.Select(answer => answer.Text).Distinct());
        foreach (var refused in answers.Except(accepted))
        {
            if (refused.Status == 503) refused.IsProblem("outcome-unknown");
            else Assert.Equal(accepted[0].Member("voteId"), refused.IsProblem("duplicate-vote").Member("voteId"));
        }

        Assert.Equal(1, (await site.FinishAsync(survey)).GetProperty("totalResponses").GetInt64());
    }

    [Fact]
    public async Task A_vote_is_readable_straight_after_it_was_accepted_and_by_its_voter_only()
    {
        var (survey, voter, stranger) = (await site.OpenSurveyAsync(), await site.VoterAsync(),
            await site.VoterAsync());
        var vote = (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0))).IsJson(202);

        var mine = (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsJson(200).IsNotStored();
        await Site.EventuallyAsync(async () =>
            (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).Member("status") == "counted");
        var byId = await site.Public.GetAsync($"{survey.Votes}/{vote.Member("voteId")}", voter.AccessToken);

        Assert.True(mine.Member("status") is "accepted" or "counted");
        foreach (var status in new[] { mine, byId.IsJson(200).IsNotStored() })
        {
            Assert.Equal(
                ["voteId", "survey", "status", "acceptedAt", "receipt"],
                status.Json.EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Null)
                    .Select(member => member.Name));
            foreach (var name in new[] { "voteId", "survey", "acceptedAt", "receipt" })
                Assert.Equal(vote.Member(name), status.Member(name));
        }

        (await site.Public.GetAsync($"{survey.Votes}/mine", stranger.AccessToken)).IsProblem("not-found");
        (await site.Public.GetAsync($"{survey.Votes}/{vote.Member("voteId")}", stranger.AccessToken))
            .IsProblem("not-found");
        var other = await site.OpenSurveyAsync();
        (await site.Public.GetAsync($"{other.Votes}/{vote.Member("voteId")}", voter.AccessToken))
            .IsProblem("not-found");
    }
}
