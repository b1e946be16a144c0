namespace ResultsTests;

public sealed class HeldBackTests
{
    [Fact]
    public async Task Ballots_are_shown_in_batches_of_the_surveys_size()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey(liveBatchMin: 5);
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        foreach (var votes in new[] { 1, 4, 5 }) await site.CountAndTurnAsync(Samples.Tally(votes * 10, votes));
        Assert.StartsWith("id: 50\n", await stream.NextAsync(), StringComparison.Ordinal);

        foreach (var votes in new[] { 6, 9, 12 }) await site.CountAndTurnAsync(Samples.Tally(votes * 10, votes));
        Assert.StartsWith("id: 120\n", await stream.NextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fewer_ballots_than_a_batch_are_not_shown_to_the_first_who_asks_either()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey(liveBatchMin: 5);
        site.Rows[1] = [Samples.Tally(version: 44, votes: 4)];

        using var stream = await EventStream.OpenAsync(site);
        var tally = await stream.TallyAsync();

        Assert.Equal(0, tally.GetProperty("version").GetInt64());
        Assert.Equal(0, tally.GetProperty("totalResponses").GetInt64());
    }

    [Fact]
    public async Task The_end_of_voting_shows_the_rest()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey(liveBatchMin: 5);
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        await site.CountAndTurnAsync(Samples.Tally(version: 3, votes: 3));
        site.Surveys[1] = Samples.Survey(liveBatchMin: 5).Closing();
        await site.TurnAsync();
        Assert.Contains("\"closing\"", await stream.NextAsync(), StringComparison.Ordinal);
        Assert.StartsWith("id: 3\n", await stream.NextAsync(), StringComparison.Ordinal);

        // A straggler waits for the others, or for the signed result.
        await site.CountAndTurnAsync(Samples.Tally(version: 4, votes: 4));
        site.Surveys[1] = Samples.Survey(liveBatchMin: 5).Final(version: 4, votes: 4);
        await site.TurnAsync();
        Assert.StartsWith("id: 4\n", await stream.NextAsync(), StringComparison.Ordinal);
        Assert.Contains("\"final\"", await stream.NextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_survey_that_holds_back_is_not_forgotten_for_want_of_readers()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey(liveBatchMin: 5);
        site.Rows[1] = [Samples.Tally(version: 5, votes: 5)];
        await site.Http.GetStringAsync("/v1/surveys/1/results", TestContext.Current.CancellationToken);

        site.Rows[1] = [Samples.Tally(version: 6, votes: 6)];
        site.Clock.Advance(TimeSpan.FromHours(2));
        await site.TurnAsync();
        var results = await site.Http.GetStringAsync("/v1/surveys/1/results", TestContext.Current.CancellationToken);

        Assert.Contains("\"totalResponses\":5", results, StringComparison.Ordinal);
    }
}
