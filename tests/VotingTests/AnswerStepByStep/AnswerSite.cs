using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Testing;

namespace VotingTests;

/// <summary>Two whole processes over one database, for all tests of answering step by step.</summary>
public sealed class AnswerSite(Postgres postgres) : IAsyncLifetime
{
    private static readonly Dictionary<string, string> Settings = new() { ["Voting__Reservations"] = "in-process" };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public Installation Installation { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        Installation = await Installation.StartAsync(postgres, ["all", "api"], Settings, Cancel);

    public ValueTask DisposeAsync() => Installation?.DisposeAsync() ?? ValueTask.CompletedTask;

    internal Task<Poll> PublishAsync() => PublishAsync(Installation);

    internal Task<AnsweringVoter[]> VotersAsync(int count) => VotersAsync(Installation, count);

    internal async Task<AnsweringVoter> VoterAsync() => (await VotersAsync(1))[0];

    /// <summary>
    /// Publishes a survey of three questions: one option of 32 (required), two of three, and none or one of two with
    /// words. Returns once every process knows it.
    /// </summary>
    internal static async Task<Poll> PublishAsync(Installation installation)
    {
        var body = Bodies.Parse($$"""
            {
              "title": "Step by step", "eligibility": { "verified": false },
              "questions": [
                { "title": "One", "min": 1, "max": 1, "order": 0, "options": [{{Options(32)}}] },
                { "title": "Two", "min": 0, "max": 2, "order": 1, "options": [{{Options(3)}}] },
                { "title": "Words", "min": 0, "max": 1, "order": 2, "allowText": true, "options": [{{Options(2)}}] }
              ]
            }
            """);
        var created = await StaffAsync(installation, HttpMethod.Post, "", body);
        await StaffAsync(installation, HttpMethod.Put, $"/{created["id"]}/publish", null);
        await ReadEverywhereAsync(installation, (string)created["id"]!, "published");
        return new((string)created["id"]!, [.. created["questions"]!.AsArray().Select(question => new PollQuestion(
            (string)question!["id"]!,
            [.. question["options"]!.AsArray().Select(option => (string)option!["id"]!)]))]);
    }

    /// <summary>Finishes the survey and returns once every process knows.</summary>
    internal static async Task CloseAsync(Installation installation, Poll poll)
    {
        await StaffAsync(installation, HttpMethod.Put, $"/{poll.Id}/finish", null);
        await ReadEverywhereAsync(installation, poll.Id, "closing", "finished");
    }

    internal static async Task<AnsweringVoter[]> VotersAsync(Installation installation, int count)
    {
        var voters = await installation.NewVotersAsync(count, cancel: Cancel);
        return [.. voters.Select(voter => new AnsweringVoter(installation, voter.AccessToken))];
    }

    private static async Task<JsonObject> StaffAsync(
        Installation installation, HttpMethod method, string path, JsonObject? body)
    {
        using var request = new HttpRequestMessage(method, $"/v1/internal/surveys{path}");
        request.Headers.Authorization = new("Bearer", await installation.StaffTokenAsync("manager"));
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await installation.Internal.SendAsync(request, Cancel);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancel));
        return await answer.JsonAsync();
    }

    private static async Task ReadEverywhereAsync(Installation installation, string survey, params string[] statuses)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        foreach (var host in installation.Hosts.Where(host => host is { IsPublic: true, HasExited: false }))
        {
            while (true)
            {
                using var answer = await host.Public.GetAsync($"/v1/surveys/{survey}", deadline.Token);
                var status = answer.IsSuccessStatusCode ? (string?)(await answer.JsonAsync())["status"] : null;
                if (status is not null && statuses.Contains(status)) break;
                await Task.Delay(50, deadline.Token);
            }
        }
    }

    private static string Options(int count) => string.Join(
        ",", Enumerable.Range(0, count).Select(i => $$"""{"text":"Option {{i}}","order":{{i}}}"""));
}

[CollectionDefinition(nameof(AnsweringStepByStep))]
public sealed class AnsweringStepByStep : ICollectionFixture<AnswerSite>;

internal sealed record PollQuestion(string Id, string[] Options);

internal sealed record Poll(string Id, PollQuestion[] Questions)
{
    public PollQuestion One => Questions[0];

    public PollQuestion Two => Questions[1];

    public PollQuestion Words => Questions[2];
}

/// <summary>A signed-in voter and the requests that it can send.</summary>
internal sealed class AnsweringVoter(Installation installation, string token)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Gives one answer. What is null is left out of the body.</summary>
    public Task<HttpResponseMessage> AnswerAsync(
        Poll poll, PollQuestion question, int? option = null, string? text = null, string? session = null,
        string? key = null, int host = 0)
    {
        var body = new JsonObject { ["question"] = question.Id };
        if (option is { } chosen) body["option"] = question.Options[chosen];
        if (text is not null) body["text"] = text;
        if (session is not null) body["surveyAnswerId"] = session;
        return SendAsync(HttpMethod.Post, $"/v1/surveys/{poll.Id}/answers", body.ToJsonString(), key, host);
    }

    /// <summary>Gives one answer that must be a new one, and returns the body.</summary>
    public async Task<JsonObject> AddAsync(
        Poll poll, PollQuestion question, int? option = null, string? text = null, string? session = null)
    {
        var answer = await AnswerAsync(poll, question, option, text, session);
        Assert.Equal("201", $"{(int)answer.StatusCode}{await ProblemIfAnyAsync(answer)}");
        return await answer.JsonAsync();
    }

    /// <summary>Begins a session with the first option of the first question.</summary>
    /// <returns>The session's id.</returns>
    public async Task<string> BeginAsync(Poll poll) =>
        (string)(await AddAsync(poll, poll.One, 0))["surveyAnswer"]!["id"]!;

    public Task<HttpResponseMessage> TakeBackAsync(Poll poll, string session, string answer) =>
        SendAsync(HttpMethod.Delete, $"/v1/surveys/{poll.Id}/answers/{session}/items/{answer}");

    public Task<HttpResponseMessage> FinishAsync(Poll poll, string session, int host = 0) =>
        SendAsync(HttpMethod.Put, $"/v1/surveys/{poll.Id}/answers/{session}/finish", null, null, host);

    /// <summary>Casts a whole ballot: one option of the first question.</summary>
    public Task<HttpResponseMessage> CastAsync(Poll poll, int option, int host = 0) => SendAsync(
        HttpMethod.Post, $"/v1/surveys/{poll.Id}/votes",
        $$"""{"answers":[{"question":"{{poll.One.Id}}","options":["{{poll.One.Options[option]}}"]}]}""", null, host);

    public Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? json = null, string? key = null, int host = 0)
    {
        var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (key is not null) request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        if (json is not null) request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        var running = installation.Hosts.Where(one => one is { IsPublic: true, HasExited: false }).ToArray();
        return running[host % running.Length].Public.SendAsync(request, Cancel);
    }

    private static async Task<string> ProblemIfAnyAsync(HttpResponseMessage answer) =>
        answer.IsSuccessStatusCode ? "" : $" {await answer.Content.ReadAsStringAsync(Cancel)}";
}
