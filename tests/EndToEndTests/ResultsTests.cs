using System.Globalization;
using System.Text.Json;

namespace EndToEndTests;

public sealed class ResultsTests(Site site)
{
    [Fact]
    public async Task Results_have_the_contracts_shape_and_count_ballots()
    {
        var survey = await site.OpenSurveyAsync();
        await CastAsync(survey, 0, 1);
        await CastAsync(survey, 0);

        var result = await CountedAsync(survey, 2);

        Assert.Equal(
            ["survey", "totalResponses", "status", "version", "asOf", "questions"],
            result.EnumerateObject().Select(member => member.Name));
        Assert.Equal(
            $$"""{"id":"{{survey.Id}}","title":"Elections Survey"}""", result.GetProperty("survey").GetRawText());
        Assert.Equal("published", result.GetProperty("status").GetString());
        Assert.True(result.GetProperty("version").GetInt64() > 0);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", result.GetProperty("asOf").GetString());
        var question = result.GetProperty("questions")[0];
        Assert.Equal(["id", "title", "order", "options"], question.EnumerateObject().Select(member => member.Name));
        Assert.Equal(
            $$"""{"id":"{{survey.Option(0, 0)}}","text":"Homer Simpson","""
            + "\"image\":\"https://example.com/homer.jpg\",\"order\":0,\"votes\":2}",
            question.GetProperty("options")[0].GetRawText());
        Assert.Equal(1, question.GetProperty("options")[1].GetProperty("votes").GetInt64());
        Assert.False(question.GetProperty("options")[2].TryGetProperty("image", out _));
    }

    [Fact]
    public async Task A_final_result_never_changes_and_all_see_the_same()
    {
        var survey = await site.OpenSurveyAsync();
        await CastAsync(survey, 2);

        var final = await site.FinishAsync(survey);

        Assert.Equal(1, final.GetProperty("totalResponses").GetInt64());
        Answer seen = null!;
        await Site.EventuallyAsync(async () =>
            (seen = await site.Public.GetAsync($"{survey.Public}/results")).Member("status") == "final");
        Assert.Equal(final.GetRawText(), seen.Json.GetRawText());
        var survey2 = await site.Public.GetAsync(survey.Public);
        Assert.Equal("finished", survey2.Member("status"));
        var again = await site.Public.GetAsync($"{survey.Public}/results", null,
            ("If-None-Match", seen.Headers["etag"]));
        Assert.Empty(again.Is(304).Bytes);
    }

    [Fact]
    public async Task Hidden_results_are_for_staff_until_they_are_final()
    {
        var survey = await site.OpenSurveyAsync(Samples.Hidden);
        await CastAsync(survey, 0);
        var auditor = await site.Installation.StaffTokenAsync("auditor");

        (await site.Public.GetAsync($"{survey.Public}/results")).IsProblem("results-hidden");
        await Site.EventuallyAsync(async () => (await site.Internal.GetAsync($"{survey.Internal}/results", auditor))
            .IsJson(200).IsNotStored().Json.GetProperty("totalResponses").GetInt64() == 1);
        using var stream = await EventStream.OpenAsync(site, survey);
        await stream.NextAsync();
        var status = await stream.NextAsync();
        Assert.Equal("status", status!.Event);
        await CastAsync(survey, 1);
        await site.FinishAsync(survey);

        // Status events only, until the result may be seen.
        var rest = await stream.RestAsync();
        Assert.Equal("""{"survey":"ID","status":"final"}""".Replace("ID", survey.Id, StringComparison.Ordinal),
            rest[^1].Fields["data"]);
        Assert.All(rest.Where(block => block.Event == "tally"),
            block => Assert.Equal(2, block.Data.GetProperty("totalResponses").GetInt64()));
        (await site.Public.GetAsync($"{survey.Public}/results")).IsJson(200);
    }

    [Fact]
    public async Task A_stream_says_status_then_tally_then_every_change_and_ends_with_the_final_result()
    {
        var survey = await site.OpenSurveyAsync();
        using var stream = await EventStream.OpenAsync(site, survey);

        Assert.StartsWith("text/event-stream", stream.Header("content-type"), StringComparison.Ordinal);
        Assert.Equal("*", stream.Header("access-control-allow-origin"));
        Assert.NotNull(stream.Header("x-request-id"));
        var first = await stream.NextAsync();
        Assert.Matches("^[0-9]+$", Assert.Single(first!.Fields, field => field.Key == "retry").Value);
        var status = await stream.NextAsync();
        Assert.Equal(("status", false), (status!.Event, status.Fields.ContainsKey("id")));
        Assert.Equal($$"""{"survey":"{{survey.Id}}","status":"published"}""", status.Fields["data"]);
        var tally = await stream.NextAsync();
        AssertTally(survey, tally!, 0);

        await CastAsync(survey, 0, 1);
        var changed = await stream.NextAsync();
        AssertTally(survey, changed!, 1);
        Assert.True(Version(changed!) > Version(tally!));

        await site.FinishAsync(survey);
        var rest = await stream.RestAsync();
        AssertTally(survey, rest[^2], 1);
        Assert.Equal($$"""{"survey":"{{survey.Id}}","status":"final"}""", rest[^1].Fields["data"]);
        Assert.DoesNotContain(rest, block => block.Fields.ContainsKey("retry"));

        using var late = await EventStream.OpenAsync(site, survey);
        var all = await late.RestAsync();
        Assert.Equal([null, "status", "tally"], all.Select(block => block.Event));
        Assert.Equal("final", all[1].Data.GetProperty("status").GetString());
        AssertTally(survey, all[2], 1);
    }

    [Fact]
    public async Task A_reader_that_has_the_current_version_gets_no_tally_before_the_next_change()
    {
        var survey = await site.OpenSurveyAsync();
        await CastAsync(survey, 0);
        var version = (await CountedAsync(survey, 1)).GetProperty("version").GetInt64();

        using var stream = await EventStream.OpenAsync(site, survey, version.ToString(CultureInfo.InvariantCulture));
        using var old = await EventStream.OpenAsync(site, survey, "0");
        using var junk = await EventStream.OpenAsync(site, survey, "1; DROP");

        await stream.NextAsync();
        Assert.Equal("status", (await stream.NextAsync())!.Event);
        await CastAsync(survey, 1);
        AssertTally(survey, (await stream.NextAsync())!, 2);
        foreach (var other in new[] { old, junk })
        {
            Assert.True((await other.NextAsync())!.Fields.ContainsKey("retry"));
            Assert.Equal("status", (await other.NextAsync())!.Event);
            Assert.Equal("tally", (await other.NextAsync())!.Event);
        }
    }

    private static long Version(StreamBlock tally) => long.Parse(tally.Fields["id"], CultureInfo.InvariantCulture);

    private static void AssertTally(SampleSurvey survey, StreamBlock block, long ballots)
    {
        Assert.Equal("tally", block.Event);
        Assert.Equal(Version(block), block.Data.GetProperty("version").GetInt64());
        Assert.Equal(
            ["survey", "version", "asOf", "totalResponses", "questions"],
            block.Data.EnumerateObject().Select(member => member.Name));
        Assert.Equal(survey.Id, block.Data.GetProperty("survey").GetString());
        Assert.Equal(ballots, block.Data.GetProperty("totalResponses").GetInt64());
        var question = block.Data.GetProperty("questions")[0];
        Assert.Equal(survey.Question(0), question.GetProperty("id").GetString());
        Assert.Equal(
            ["id", "votes"], question.GetProperty("options")[0].EnumerateObject().Select(member => member.Name));
    }

    private async Task CastAsync(SampleSurvey survey, params int[] options)
    {
        var voter = await site.VoterAsync();
        (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(options))).IsJson(202);
    }

    private async Task<JsonElement> CountedAsync(SampleSurvey survey, long ballots)
    {
        JsonElement result = default;
        await Site.EventuallyAsync(async () =>
        {
            result = (await site.Public.GetAsync($"{survey.Public}/results")).IsJson(200).Json;
            return result.GetProperty("totalResponses").GetInt64() == ballots;
        });
        return result;
    }
}
