using System.Text.Json;

namespace EndToEndTests;

public sealed class PublicSurveyTests(Site site)
{
    [Fact]
    public async Task A_published_survey_is_read_by_anybody_as_staff_read_it()
    {
        var survey = await site.OpenSurveyAsync();

        var seen = (await site.Public.GetAsync(survey.Public)).IsJson(200);

        var staff = await site.Internal.GetAsync(survey.Internal, site.Manager);
        Assert.Equal(staff.Text, seen.Text);
        Assert.Equal("published", seen.Member("status"));
        Assert.Equal(survey.Option(0, 1),
            seen.Json.GetProperty("questions")[0].GetProperty("options")[1].GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_draft_is_not_there_for_the_public()
    {
        var draft = await site.DraftAsync();

        (await site.Public.GetAsync(draft.Public)).IsProblem("not-found").IsNotStored();
        (await site.Public.GetAsync($"{draft.Public}/results")).IsProblem("not-found");
        (await site.Public.GetAsync($"{draft.Public}/results/stream")).IsProblem("not-found");
        var voter = await site.VoterAsync();
        (await site.Public.PostAsync(draft.Votes, voter.AccessToken, draft.Ballot(0))).IsProblem("not-found");
        (await site.Public.GetAsync($"{draft.Votes}/mine", voter.AccessToken)).IsProblem("not-found");
    }

    [Fact]
    public async Task The_list_holds_open_surveys_newest_first_page_by_page()
    {
        var surveys = new[] { await site.OpenSurveyAsync(), await site.OpenSurveyAsync(),
            await site.OpenSurveyAsync() };
        var draft = await site.DraftAsync();
        var finished = await site.OpenSurveyAsync();
        await site.Internal.PutAsync($"{finished.Internal}/finish", site.Manager);
        await Site.EventuallyAsync(async () =>
            (await site.Public.GetAsync(finished.Public)).Member("status") is "closing" or "finished");

        var seen = new List<string>();
        for (var path = "/v1/surveys?limit=1"; path.Length > 0;)
        {
            var page = (await site.Public.GetAsync(path)).IsJson(200).Json;
            Assert.Equal(["items", "next"], page.EnumerateObject().Select(member => member.Name));
            seen.Add(Assert.Single(page.GetProperty("items").EnumerateArray()).GetProperty("id").GetString()!);
            path = page.GetProperty("next").GetString() is { } next ? $"/v1/surveys?limit=1&cursor={next}" : "";
        }

        Assert.Equal(seen.Distinct(), seen);
        Assert.Equal(surveys.Reverse().Select(survey => survey.Id),
            seen.Where(surveys.Select(survey => survey.Id).Contains));
        Assert.DoesNotContain(draft.Id, seen);
        Assert.DoesNotContain(finished.Id, seen);
    }

    [Fact]
    public async Task A_page_holds_twenty_surveys_unless_another_number_is_asked_for()
    {
        for (var i = 0; i < 21; i++) await site.DraftAsync();

        var page = (await site.Internal.GetAsync("/v1/internal/surveys", site.Manager)).IsJson(200).Json;
        var hundred = (await site.Internal.GetAsync("/v1/internal/surveys?limit=100", site.Manager)).IsJson(200).Json;

        Assert.Equal(20, page.GetProperty("items").GetArrayLength());
        Assert.Equal(JsonValueKind.String, page.GetProperty("next").ValueKind);
        Assert.InRange(hundred.GetProperty("items").GetArrayLength(), 21, 100);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=-1")]
    [InlineData("limit=1e1")]
    [InlineData("limit=")]
    [InlineData("limit=%31%30%30%30%30%30%30%30%30%30%30%30%30")]
    [InlineData("limit=2&limit=3")]
    [InlineData("cursor=")]
    [InlineData("cursor=!!!!!!!!!!!!!!!!")]
    [InlineData("cursor=AAAAAAAAAAAAAAAA")]
    [InlineData("cursor=____________________")]
    [InlineData("cursor=________________")]
    [InlineData("cursor=%00%00%00%00")]
    [InlineData("cursor=%FF%FE%F0")]
    [InlineData("cursor=%ED%A0%80AAAAAAAAAAAAA")]
    [InlineData("cursor='; DROP TABLE voting.surveys; --")]
    public async Task A_bad_cursor_or_limit_is_malformed_on_every_list(string query)
    {
        var voter = await site.VoterAsync();
        query = query.Replace(" ", "%20", StringComparison.Ordinal);

        (await site.Public.GetAsync($"/v1/surveys?{query}")).IsProblem("malformed-request")
            .Names(query[..query.IndexOf('=')]);
        (await site.Internal.GetAsync($"/v1/internal/surveys?{query}", site.Manager)).IsProblem("malformed-request");
        (await site.Public.GetAsync($"/v1/auth/sessions?{query}", voter.AccessToken)).IsProblem("malformed-request");
    }

    [Fact]
    public async Task A_published_survey_is_fit_for_a_cache_and_304_tells_that_it_is_the_same()
    {
        var survey = await site.OpenSurveyAsync();
        await AssertCachedAsync(survey.Public);
        await AssertCachedAsync("/v1/surveys?limit=100", changes: true);
        await AssertCachedAsync($"{survey.Public}/results");
    }

    private async Task AssertCachedAsync(string path, bool changes = false)
    {
        var first = (await site.Public.GetAsync(path)).IsJson(200);
        var tag = first.Headers["etag"];
        Assert.Matches("^(W/)?\"[^\"]+\"$", tag);
        Assert.Matches("^public, max-age=[0-9]+, stale-while-revalidate=[0-9]+$", first.Headers["cache-control"]);
        if (changes) return;

        foreach (var known in new[] { tag, $"W/{tag}", $"\"other\", {tag}", "*" })
        {
            var same = (await site.Public.GetAsync(path, null, ("If-None-Match", known))).Is(304);
            Assert.Empty(same.Bytes);
            Assert.Equal(tag, same.Headers["etag"]);
            Assert.Equal(first.Headers["cache-control"], same.Headers["cache-control"]);
        }

        foreach (var unknown in new[] { "\"other\"", "junk", "\"", "", "W/" })
            (await site.Public.GetAsync(path, null, ("If-None-Match", unknown))).IsJson(200);
    }
}
