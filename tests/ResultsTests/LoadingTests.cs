using System.Net;
using System.Text.Json;

namespace ResultsTests;

public sealed class LoadingTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/surveys/1/results")]
    [InlineData("/v1/surveys/1/results/stream")]
    public async Task Whoever_asks_while_the_process_stops_is_told_to_come_later(string path)
    {
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        var never = new TaskCompletionSource();
        site.RowsMayBeRead = never.Task;
        var asked = site.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Cancel);
        await Site.UntilAsync(() => site.RowReads == 1);

        site.App.Lifetime.StopApplication();

        using var answer = await asked;
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "overloaded"), (answer.StatusCode, await CodeAsync(answer)));
    }

    [Theory]
    [InlineData("/v1/surveys/1/results")]
    [InlineData("/v1/surveys/1/results/stream")]
    public async Task A_survey_that_goes_while_it_is_loaded_is_not_found(string path)
    {
        var logReachable = new TaskCompletionSource();
        await using var site = await Site.StartAsync(logReachable.Task);
        site.Surveys[1] = Samples.Survey();
        var asked = site.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Cancel);
        await Site.UntilAsync(() => site.SurveyReads == 1);

        site.Surveys.TryRemove(1, out _);
        logReachable.SetResult();

        using var answer = await asked;
        Assert.Equal((HttpStatusCode.NotFound, "not-found"), (answer.StatusCode, await CodeAsync(answer)));
        site.Surveys[1] = Samples.Survey();
        using var again = await site.Http.GetAsync("/v1/surveys/1/results", Cancel);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }

    private static async Task<string> CodeAsync(HttpResponseMessage answer)
    {
        var type = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("type");
        return new Uri(type.GetString()!).Segments[^1];
    }
}
