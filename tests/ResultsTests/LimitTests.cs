using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Platform;
using Results;

namespace ResultsTests;

public sealed class LimitTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_slow_reader_skips_to_the_newest_and_slows_nobody()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Large();
        using var slow = await EventStream.AskAsync(site, receiveBufferSizeBytes: 4 * 1024);
        using var quick = await EventStream.OpenAsync(site);
        await quick.TallyAsync();

        const int Turns = 200;
        for (var i = 1; i <= Turns; i++)
        {
            await site.CountAndTurnAsync(Samples.Tally(version: i, votes: i));
            Assert.Equal(i, (await quick.TallyAsync()).GetProperty("version").GetInt64());
        }

        await slow.ReadHeadAsync();
        var seen = new List<long>();
        while (seen.LastOrDefault() < Turns) seen.Add((await slow.TallyAsync()).GetProperty("version").GetInt64());


        Assert.Equal(seen.Order().Distinct(), seen);
        // What stood in buffers of 8 + 32 + 8 KB and their like, and then the newest at once.
        Assert.InRange(seen.Count, 2, 30);
    }

    [Fact]
    public async Task A_reader_that_stalls_is_dropped_when_its_time_is_up()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Large();
        using var stalled = await EventStream.AskAsync(site, receiveBufferSizeBytes: 4 * 1024);
        using var quick = await EventStream.OpenAsync(site);
        await quick.TallyAsync();
        for (var i = 1; i <= 50; i++)
        {
            await site.CountAndTurnAsync(Samples.Tally(version: i, votes: i));
            await quick.TallyAsync();
        }

        site.Clock.Advance(TimeSpan.FromSeconds(9));
        await site.TurnAsync();
        Assert.Equal(2, site.Count("results.connections"));
        site.Clock.Advance(TimeSpan.FromSeconds(2));
        await site.TurnAsync();

        await Site.UntilAsync(() => site.Count("results.connections") == 1);
        Assert.Equal(1, site.Count("results.readers.dropped"));
    }

    [Fact]
    public async Task A_reader_that_vanishes_leaves_nothing_behind()
    {
        await using var site = await Site.StartAsync(("ConnectionCountMax", "1"));
        site.Surveys[1] = Samples.Survey();
        var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        stream.Vanish();
        await Site.UntilAsync(() => site.Count("results.connections") == 0);

        using var next = await EventStream.OpenAsync(site);
        Assert.Equal(HttpStatusCode.OK, next.Status);
        Assert.Equal(0, site.Count("results.readers.dropped"));
    }

    [Fact]
    public async Task One_stream_too_many_is_told_to_come_again()
    {
        await using var site = await Site.StartAsync(("ConnectionCountMax", "2"));
        site.Surveys[1] = Samples.Survey();
        using var first = await EventStream.OpenAsync(site);
        using var second = await EventStream.OpenAsync(site);

        var third = await site.Http.GetAsync("/v1/surveys/1/results/stream", Cancel);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, third.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(5), third.Headers.RetryAfter?.Delta);
        Assert.Contains("https://errors.voting/overloaded", await third.Content.ReadAsStringAsync(Cancel),
            StringComparison.Ordinal);
        Assert.Equal(2, site.Count("results.connections"));
    }

    [Fact]
    public async Task One_address_cannot_take_every_stream()
    {
        await using var site = await Site.StartAsync(
            ("ConnectionCountMax", "3"), ("ConnectionCountPerAddressMax", "2"));
        site.Surveys[1] = Samples.Survey();
        using var first = await EventStream.OpenAsync(site);
        var second = await EventStream.OpenAsync(site);
        var third = await site.Http.GetAsync("/v1/surveys/1/results/stream", Cancel);
        using var other = await EventStream.OpenAsync(site, from: IPAddress.Parse("127.0.0.2"));
        Assert.Equal(
            (HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (third.StatusCode, other.Status));

        // The place of one that has gone is free again, for the same address.
        second.Vanish();
        await Site.UntilAsync(() => site.Count("results.connections") == 2);
        using var again = await EventStream.OpenAsync(site);
        Assert.Equal(HttpStatusCode.OK, again.Status);
    }

    [Fact]
    public async Task Old_streams_end_not_all_at_once_and_their_readers_go_on_where_they_were()
    {
        await using var site = await Site.StartAsync(("ConnectionAgeMax", "00:10:00"));
        site.Surveys[1] = Samples.Survey();
        var streams = new List<EventStream>();
        for (var i = 0; i < 20; i++) streams.Add(await EventStream.OpenAsync(site));
        await site.CountAndTurnAsync(Samples.Tally(version: 5, votes: 3));
        foreach (var stream in streams)
            while ((await stream.TallyAsync()).GetProperty("version").GetInt64() < 5) { }

        Assert.Equal(0, await EndedAfterAsync(470));
        Assert.InRange(await EndedAfterAsync(70), 7, 13);
        await EndedAfterAsync(61);
        Assert.Empty(streams);
        Assert.Equal(20, site.Count("results.connections.rotated"));
        Assert.Equal(0, site.Count("results.readers.dropped"));

        using var again = await EventStream.OpenAsync(site, headers: "Last-Event-ID: 5\r\n");
        Assert.Equal(1, site.Count("results.reconnects"));
        await site.CountAndTurnAsync(Samples.Tally(version: 6, votes: 4));
        Assert.Equal(6, (await again.TallyAsync()).GetProperty("version").GetInt64());

        // Whoever stays gets a comment, for nothing else has come for long.
        async Task<int> EndedAfterAsync(int seconds)
        {
            site.Clock.Advance(TimeSpan.FromSeconds(seconds));
            await site.TurnAsync();
            var before = streams.Count;
            foreach (var stream in streams.ToArray())
            {
                if (await stream.NextAsync() == ":") continue;
                stream.Dispose();
                streams.Remove(stream);
            }

            return before - streams.Count;
        }
    }

    [Fact]
    public async Task A_survey_nobody_looks_at_is_dropped_and_loaded_again_on_demand()
    {
        await using var site = await Site.StartAsync(("SurveyCountMax", "1"));
        site.Surveys[1] = Samples.Survey();
        site.Surveys[2] = Samples.Survey(id: 2);
        await site.Http.GetStringAsync("/v1/surveys/1/results", Cancel);

        var crowded = await site.Http.GetAsync("/v1/surveys/2/results", Cancel);
        site.Clock.Advance(TimeSpan.FromMinutes(3));
        await site.TurnAsync();
        await Site.UntilAsync(() => site.Count("results.surveys") == 0);
        site.Rows[2] = [Samples.Tally(version: 5, votes: 4, survey: 2)];
        var results = await site.Http.GetStringAsync("/v1/surveys/2/results", Cancel);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, crowded.StatusCode);
        Assert.Contains("\"totalResponses\":4", results, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_survey_that_somebody_looks_at_stays()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        site.Clock.Advance(TimeSpan.FromMinutes(3));
        await site.TurnAsync();
        await site.CountAndTurnAsync(Samples.Tally(version: 1, votes: 1));

        Assert.Equal(1, (await stream.TallyAsync()).GetProperty("version").GetInt64());
        Assert.Equal(1, site.RowReads);
    }

    [Fact]
    public async Task A_loading_that_fails_is_tried_again_by_the_next_who_asks()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        site.RowsMayBeRead = Task.FromException(new TimeoutException("The shard does not answer."));
        var failed = await site.Http.GetAsync("/v1/surveys/1/results", Cancel);

        site.RowsMayBeRead = Task.CompletedTask;
        var answer = await site.Http.GetAsync("/v1/surveys/1/results", Cancel);

        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Many_who_ask_at_once_load_a_survey_once()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        var rows = new TaskCompletionSource();
        site.RowsMayBeRead = rows.Task;

        var answers = Enumerable.Range(0, 20)
            .Select(_ => site.Http.GetAsync("/v1/surveys/1/results", Cancel)).ToArray();
        await Site.UntilAsync(() => site.RowReads > 0);
        rows.SetResult();

        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.Equal(1, site.RowReads);
    }

    [Fact]
    public async Task Streams_end_when_the_host_stops_even_those_that_are_not_read()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Large();
        using var stalled = await EventStream.AskAsync(site, receiveBufferSizeBytes: 4 * 1024);
        using var quick = await EventStream.OpenAsync(site);
        await quick.TallyAsync();
        for (var i = 1; i <= 50; i++)
        {
            await site.CountAndTurnAsync(Samples.Tally(version: i, votes: i));
            await quick.TallyAsync();
        }

        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        await site.App.StopAsync(soon.Token);

        Assert.False(soon.IsCancellationRequested);
        Assert.Null(await quick.NextAsync());
        Assert.Equal(0, site.Count("results.connections"));
    }

    [Fact]
    public async Task A_record_that_is_no_tally_does_not_stand_in_the_way()
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        using var stream = await EventStream.OpenAsync(site);
        await stream.BlocksAsync(3);

        const string Uneven = """{"survey":1,"partition":0,"version":9,"options":[1],"votes":[]}""";
        foreach (var bytes in new[] { "", "null", "{}", Uneven })
        {
            await site.Log.AppendAsync(
                new("tallies", 1), new LogRecord(default, Encoding.UTF8.GetBytes(bytes)), Cancel);
        }

        await site.CountAsync(Samples.Tally(version: 10, votes: 10));
        await Site.UntilAsync(() => site.Count("results.tallies.read") == 5);
        await site.TurnAsync();

        Assert.Equal(10, (await stream.TallyAsync()).GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task A_process_is_ready_once_it_follows_the_tallies_and_shows_nothing_before()
    {
        var reachable = new TaskCompletionSource();
        await using var site = await Site.StartAsync(reachable.Task);
        site.Surveys[1] = Samples.Survey();
        var health = site.App.Services.GetRequiredService<HealthCheckService>();

        var answer = site.Http.GetAsync("/v1/surveys/1/results", Cancel);
        var before = await health.CheckHealthAsync(Cancel);
        Assert.Equal(0, site.RowReads);
        reachable.SetResult();

        Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
        Assert.Equal(HealthStatus.Unhealthy, before.Status);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Cancel)).Status);
    }

    [Fact]
    public async Task A_log_that_fails_ends_the_host_with_its_loop_faulted()
    {
        await using var site = await Site.StartAsync();
        var loop = site.App.Services.GetServices<IHostedService>().OfType<FollowTallies>().Single();

        site.Log.Failure = new IOException("The log is gone.");
        site.Log.Stir();
        await Site.UntilAsync(() =>
            site.App.Lifetime.ApplicationStopping.IsCancellationRequested && loop.ExecuteTask!.IsCompleted);

        Assert.True(loop.ExecuteTask!.IsFaulted);
    }
}
