using System.Net;
using System.Text.Json;
using Voting.Contracts;

namespace ResultsTests;

public sealed class StreamTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_begins_with_retry_status_and_tally_to_the_byte()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [new(1, 0, 8000, 85, [1, 2], [80, 7]), new(1, 3, 123, 5, [1], [5])];

        using var stream = await EventStream.OpenAsync(site);

        Assert.Equal(HttpStatusCode.OK, stream.Status);
        Assert.Equal(
            [
                "retry: 2000",
                "event: status\ndata: {\"survey\":\"1\",\"status\":\"published\"}",
                "id: 8123\nevent: tally\ndata: {\"survey\":\"1\",\"version\":8123,"
                    + "\"asOf\":\"2026-01-15T10:30:00.250Z\",\"totalResponses\":90,"
                    + "\"questions\":[{\"id\":\"1\",\"options\":[{\"id\":\"1\",\"votes\":85},"
                    + "{\"id\":\"2\",\"votes\":7}]}]}",
            ],
            await stream.BlocksAsync(3));
    }

    [Fact]
    public async Task A_stream_says_that_it_is_one_and_that_nothing_may_keep_it()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();

        using var stream = await EventStream.OpenAsync(site, headers: "Accept: application/json\r\n");

        Assert.Equal("text/event-stream", stream.Headers["content-type"]);
        Assert.Equal("no-store", stream.Headers["cache-control"]);
        Assert.Equal("no", stream.Headers["x-accel-buffering"]);
    }

    [Fact]
    public async Task What_is_counted_is_shown_whole_with_options_that_nobody_chose()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        var first = await stream.TallyAsync();

        await site.CountAndTurnAsync(Samples.Tally(version: 7, votes: 3, partition: 5));
        var second = await stream.TallyAsync();

        Assert.Equal("""[{"id":"1","votes":0},{"id":"2","votes":0}]""", Options(first));
        Assert.Equal(0, first.GetProperty("version").GetInt64());
        Assert.Equal("""[{"id":"1","votes":3},{"id":"2","votes":0}]""", Options(second));
        Assert.Equal(7, second.GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task Many_tallies_between_two_frames_are_one_event()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        await stream.TallyAsync();

        for (var i = 1; i <= 100; i++) await site.CountAsync(Samples.Tally(version: i, votes: i));
        await site.CountAndTurnAsync(Samples.Tally(version: 101, votes: 101));

        Assert.Equal(101, (await stream.TallyAsync()).GetProperty("version").GetInt64());
        await site.CountAndTurnAsync(Samples.Tally(version: 102, votes: 102));
        Assert.Equal(102, (await stream.TallyAsync()).GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task A_second_holds_no_more_than_four_tallies_however_much_is_counted()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        await stream.TallyAsync();
        var frames = site.Count("results.frames.rendered");

        // A second in steps of 10 ms, each with a tally and with more real time than a round takes.
        for (var i = 1; i <= 100; i++)
        {
            await site.CountAsync(Samples.Tally(version: i, votes: i));
            site.Clock.Advance(TimeSpan.FromMilliseconds(10));
        }

        // With the state at the beginning that makes four at most; at least one shows that the loop shows them at all.
        await Site.UntilAsync(() => site.Count("results.frames.rendered") > frames);
        Assert.InRange(site.Count("results.frames.rendered") - frames, 1, 3);
    }

    [Fact]
    public async Task An_older_tally_of_a_partition_changes_nothing()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [Samples.Tally(version: 50, votes: 40, partition: 2)];
        using var stream = await EventStream.OpenAsync(site);
        await stream.TallyAsync();

        await site.CountAndTurnAsync(Samples.Tally(version: 49, votes: 39, partition: 2));
        await site.CountAndTurnAsync(Samples.Tally(version: 50, votes: 40, partition: 2));
        await site.CountAndTurnAsync(Samples.Tally(version: 3, votes: 1, partition: 1));

        var next = await stream.TallyAsync();
        Assert.Equal(53, next.GetProperty("version").GetInt64());
        Assert.Equal(41, next.GetProperty("totalResponses").GetInt64());
    }

    [Fact]
    public async Task Rows_that_are_read_late_do_not_undo_what_the_log_has_said()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [Samples.Tally(version: 10, votes: 10)];
        var rows = new TaskCompletionSource();
        site.RowsMayBeRead = rows.Task;

        using var stream = await EventStream.AskAsync(site);
        await Site.UntilAsync(() => site.RowReads == 1);
        await site.CountAndTurnAsync(Samples.Tally(version: 12, votes: 12));
        rows.SetResult();
        await stream.ReadHeadAsync();

        Assert.Equal(12, (await stream.TallyAsync()).GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task A_reader_that_has_the_version_gets_no_tally_until_the_next()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [Samples.Tally(version: 10, votes: 10)];

        using var same = await EventStream.OpenAsync(site, headers: "Last-Event-ID: 10\r\n");
        using var older = await EventStream.OpenAsync(site, headers: "Last-Event-ID: 9\r\n");
        using var senseless = await EventStream.OpenAsync(site, headers: "Last-Event-ID: ten\r\n");

        Assert.StartsWith("id: 10\n", (await older.BlocksAsync(3))[2], StringComparison.Ordinal);
        Assert.StartsWith("id: 10\n", (await senseless.BlocksAsync(3))[2], StringComparison.Ordinal);
        Assert.StartsWith("event: status\n", (await same.BlocksAsync(2))[1], StringComparison.Ordinal);
        await site.CountAndTurnAsync(Samples.Tally(version: 11, votes: 11));
        Assert.StartsWith("id: 11\n", await same.NextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_quiet_stream_gets_a_comment_within_fifteen_seconds()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        for (var i = 0; i < 2; i++)
        {
            site.Clock.Advance(TimeSpan.FromSeconds(14));
            await site.TurnAsync();
            Assert.Equal(":", await stream.NextAsync());
        }
    }

    [Fact]
    public async Task While_a_survey_closes_its_tallies_go_on()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        site.Surveys[1] = Samples.Survey().Closing();
        await site.TurnAsync();
        await site.CountAndTurnAsync(Samples.Tally(version: 4, votes: 2));

        Assert.Equal("event: status\ndata: {\"survey\":\"1\",\"status\":\"closing\"}", await stream.NextAsync());
        Assert.StartsWith("id: 4\n", await stream.NextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_final_result_is_told_tally_first_and_ends_the_stream()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.Rows[1] = [Samples.Tally(version: 10, votes: 10)];
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        site.Surveys[1] = Samples.Survey().Final(version: 10, votes: 10);
        await site.TurnAsync();
        var end = await stream.BlocksAsync(3);

        Assert.StartsWith("id: 10\nevent: tally\n", end[0], StringComparison.Ordinal);
        Assert.Equal("event: status\ndata: {\"survey\":\"1\",\"status\":\"final\"}", end[1]);
        Assert.Equal("(the end)", end[2]);
    }

    [Fact]
    public async Task A_stream_of_a_final_survey_says_both_and_ends_without_reading_rows()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey().Final(version: 10, votes: 10);

        using var stream = await EventStream.OpenAsync(site, headers: "Last-Event-ID: 10\r\n");
        var blocks = await stream.BlocksAsync(4);

        Assert.Equal("event: status\ndata: {\"survey\":\"1\",\"status\":\"final\"}", blocks[1]);
        Assert.StartsWith("id: 10\nevent: tally\n", blocks[2], StringComparison.Ordinal);
        Assert.Equal("(the end)", blocks[3]);
        Assert.Equal(0, site.RowReads);
    }

    [Fact]
    public async Task A_hidden_survey_tells_its_status_alone_until_it_is_final()
    {
        await using var site = await Site.StartAsync();
        var survey = Samples.Survey(visibility: ResultsVisibility.AfterFinish);
        site.Surveys[1] = survey;
        site.Rows[1] = [Samples.Tally(version: 10, votes: 10)];
        using var stream = await EventStream.OpenAsync(site);

        await site.CountAndTurnAsync(Samples.Tally(version: 11, votes: 11));
        site.Surveys[1] = survey.Closing();
        await site.TurnAsync();
        await site.CountAndTurnAsync(Samples.Tally(version: 12, votes: 12));
        site.Surveys[1] = survey.Final(version: 12, votes: 12);
        var before = await stream.BlocksAsync(3);
        await site.TurnAsync();
        var after = await stream.BlocksAsync(3);

        Assert.Contains("\"published\"", before[1], StringComparison.Ordinal);
        Assert.Contains("\"closing\"", before[2], StringComparison.Ordinal);
        Assert.StartsWith("id: 12\nevent: tally\n", after[0], StringComparison.Ordinal);
        Assert.Contains("\"final\"", after[1], StringComparison.Ordinal);
        Assert.Equal("(the end)", after[2]);
    }

    [Theory]
    [InlineData("2")]
    [InlineData("abc")]
    [InlineData("1000000000000000000000000000000")]
    public async Task A_survey_that_is_not_there_is_a_problem_document(string id)
    {
        await using var site = await Site.StartAsync();

        var answer = await site.Http.GetAsync($"/v1/surveys/{id}/results/stream", Cancel);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }

    private static string Options(JsonElement tally) =>
        tally.GetProperty("questions")[0].GetProperty("options").GetRawText();
}
