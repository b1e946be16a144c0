using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;
using Testing;

namespace ChaosTests;

/// <summary>
/// An installation of separate processes that tests may kill: two that accept ballots, one that counts. Small batches,
/// so that every fault meets several of them; short silences, so that what a dead consumer held is free soon.
/// </summary>
public sealed class Site(Postgres postgres) : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, bool> _promised = [];
    private Installation? _installation;

    internal Installation Installation => _installation ?? throw new InvalidOperationException("Not started.");

    internal NpgsqlDataSource Database => Installation.Database.Source;

    /// <summary>Accepts ballots and answers staff.</summary>
    internal HostProcess First { get; private set; } = null!;

    /// <summary>Accepts ballots.</summary>
    internal HostProcess Second { get; private set; } = null!;

    internal HostProcess Consumer { get; private set; } = null!;

    /// <summary>Whether somebody starts processes again that end.</summary>
    internal bool IsKept { get; set; }

    /// <summary>Vote ids that were answered 202: each must have an outcome in the end.</summary>
    internal IReadOnlyCollection<string> Promised => [.. _promised.Keys];

    /// <summary>Where reservations are kept.</summary>
    internal IReadOnlyDictionary<string, string> Reservations { get; set; } =
        new Dictionary<string, string> { ["Voting__Reservations"] = "in-process" };

    /// <summary>Where the event log is.</summary>
    internal SiteLog Log { get; set; } = new PostgresSiteLog();

    public async ValueTask InitializeAsync()
    {
        var settings = new Dictionary<string, string>(Reservations)
        {
            ["Voting__AppendTimeout"] = "00:00:40",
            ["Voting__CountVotes__BatchCountMax"] = "10",
            ["Database__SilenceMax"] = "00:00:03",
        };
        foreach (var (key, value) in await Log.SettingsAsync()) settings[key] = value;
        _installation = await Installation.StartAsync(postgres, [], settings);
        await Log.PrepareAsync(_installation);
        await Task.WhenAll(
            Task.Run(async () => First = await _installation.StartHostAsync("api,backoffice")),
            Task.Run(async () => Second = await _installation.StartHostAsync("api")),
            Task.Run(StartConsumerAsync));
    }

    public async ValueTask DisposeAsync()
    {
        if (_installation is not null) await _installation.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <returns>All records of a topic as they lie in the log, by partition and offset.</returns>
    internal Task<List<LoggedRecord>> LogAsync(string topic) => Log.ReadAsync(Database, topic);

    internal async Task StartConsumerAsync() => Consumer = await Installation.StartHostAsync("consumer");

    internal async Task StartSecondAsync() => Second = await Installation.StartHostAsync("api");

    internal async Task StartFirstAsync() => First = await Installation.StartHostAsync("api,backoffice");

    /// <returns>
    /// A published survey that both api processes know: one question of eight options, choose one to eight.
    /// </returns>
    internal async Task<Election> PublishAsync()
    {
        // What another test left dead is no reason to fail here as well.
        if (First.HasExited) await StartFirstAsync();
        if (Second.HasExited) await StartSecondAsync();
        if (Consumer.HasExited) await StartConsumerAsync();
        object[] options = [.. Enumerable.Range(0, 8).Select(order => new { text = $"Option {order}", order })];
        var survey = await StaffAsync(HttpMethod.Post, "/v1/internal/surveys", new
        {
            title = "An election under fire",
            questions = new[] { new { title = "Which ones?", min = 1, max = 8, order = 0, options } },
        });
        var id = survey.GetProperty("id").GetString()!;
        await StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{id}/publish", null);
        foreach (var host in new[] { First, Second }) await KnowsAsync(host, id);
        var question = survey.GetProperty("questions")[0];
        return new(this, id, question.GetProperty("id").GetString()!,
            [.. question.GetProperty("options").EnumerateArray()
                .Select(option => option.GetProperty("id").GetString()!)]);
    }

    /// <summary>New voters cast one ballot each, half of them at either process; in the end all are accepted.</summary>
    internal async Task CastAsync(Election election, int count)
    {
        var answers = await Task.WhenAll((await VotersAsync(count)).Select((voter, i) =>
            election.CastUntilKnownAsync(() => i % 2 == 0 ? First : Second, voter, 1 + i)));
        Assert.All(answers, answer => Assert.True(answer.IsAccepted, $"{answer}"));
    }

    internal async Task<JsonElement> StaffAsync(HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new("Bearer", await Installation.StaffTokenAsync("manager"));
        if (body is not null) request.Content = JsonContent.Create(body);
        using var answer = await First.Internal.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{method} {path} answered {(int)answer.StatusCode}: {text}");
        return JsonElement.Parse(text);
    }

    /// <summary>Waits until a process shows the survey in public.</summary>
    internal static Task KnowsAsync(HostProcess host, string survey) =>
        Until.HoldsAsync($"{host.Roles} knows survey {survey}", async () =>
        {
            using var answer = await host.Public.GetAsync($"/v1/surveys/{survey}");
            return answer.IsSuccessStatusCode;
        });

    /// <summary>Waits until a process opens streams of the survey's results.</summary>
    internal static Task KnowsResultsAsync(HostProcess host, string survey) =>
        Until.HoldsAsync($"{host.Roles} shows results of survey {survey}", async () =>
        {
            using var answer = await host.Public.GetAsync(
                $"/v1/surveys/{survey}/results/stream", HttpCompletionOption.ResponseHeadersRead);
            return answer.IsSuccessStatusCode;
        });

    internal void Promise(string voteId) => _promised.TryAdd(voteId, true);

    /// <summary>An operator has settled that the vote is none.</summary>
    internal void Release(string voteId) => _promised.TryRemove(voteId, out _);

    internal Task<IReadOnlyList<SignedInVoter>> VotersAsync(int count) => Installation.NewVotersAsync(count, First);

    internal static int PartitionOf(SignedInVoter voter) =>
        Base64Url.DecodeFromChars(voter.VoterId)[0] * 16 / 256;

    /// <returns>The key of the MACs that only the platform's own processes know.</returns>
    internal async Task<byte[]> MacKeyAsync()
    {
        await using var query = Database.CreateCommand(
            "SELECT key_id, wrapped_key FROM platform.keys WHERE purpose = 'vote-mac' ORDER BY number");
        await using var rows = await query.ExecuteReaderAsync();
        Assert.True(await rows.ReadAsync());
        var master = new MasterKey(Options.Create(new KeyOptions { MasterKey = Installation.MasterKey }));
        return master.Unwrap(rows.GetFieldValue<byte[]>(1), $"key:vote-mac:{rows.GetString(0)}");
    }

    /// <summary>
    /// Gives the installation another key for its MACs: processes that start from now on sign with it, and those that
    /// run know nothing of it.
    /// </summary>
    internal async Task AddMacKeyAsync()
    {
        var master = new MasterKey(Options.Create(new KeyOptions { MasterKey = Installation.MasterKey }));
        var id = $"key-{Guid.NewGuid():N}";
        await using var insert = Database.CreateCommand("""
            INSERT INTO platform.keys (key_id, purpose, algorithm, wrapped_key) VALUES ($1, 'vote-mac', 'secret32', $2)
            """);
        insert.Parameters.Add(new() { Value = id });
        insert.Parameters.Add(new()
        {
            Value = master.Wrap(RandomNumberGenerator.GetBytes(32), $"key:vote-mac:{id}"),
        });
        await insert.ExecuteNonQueryAsync();
    }

    /// <returns>A table of every shard, as a list for SQL.</returns>
    internal async Task<string> TablesAsync(string table) =>
        string.Join(", ", (await Ledger.SchemasAsync(Database)).Select(schema => $"{schema}.{table}"));

    internal async Task<T> ReadAsync<T>(string sql)
    {
        await using var query = Database.CreateCommand(sql);
        return (T)(await query.ExecuteScalarAsync())!;
    }

    internal async Task<int> ExecuteAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>Waits until every record of <c>votes</c> is counted, and the group's positions say so.</summary>
    internal Task SettleAsync() => Until.HoldsAsync("every record is counted and its outcome committed", async () =>
    {
        if (Consumer.HasExited && !IsKept) Assert.Fail($"The consumer ended: {Consumer.LastOutput}");
        return await IsSettledAsync();
    });

    internal Task<bool> IsSettledAsync() => Log.IsSettledAsync(Database);
}

/// <summary>What a client was told.</summary>
/// <param name="Status">0 when there was no answer at all.</param>
internal sealed record Answer(int Status, string Body)
{
    public bool IsAccepted => Status is 200 or 202;

    public string? VoteId => Member("voteId");

    /// <summary>The problem's type without its base, or empty.</summary>
    public string Problem => (Member("type") ?? "").Split('/')[^1];

    private string? Member(string name) =>
        Body.StartsWith('{') && JsonElement.Parse(Body).TryGetProperty(name, out var member)
            ? member.GetString() : null;
}

/// <summary>A survey, and how voters and everybody else see it.</summary>
internal sealed class Election(Site site, string id, string question, string[] options)
{
    public string Id => id;

    public int Number => int.Parse(id);

    /// <returns>The body of a ballot that chooses an option for each bit.</returns>
    public object Body(int choice) => new
    {
        answers = new[] { new { question, options = options.Where((_, bit) => (choice >> bit & 1) == 1).ToArray() } },
    };

    /// <summary>Casts a ballot; a connection that breaks is an answer of status 0.</summary>
    /// <param name="at">Which process is asked.</param>
    /// <param name="voter">Who votes.</param>
    /// <param name="choice">1 to 255: one bit an option, so different numbers are different ballots.</param>
    /// <param name="key">The idempotency key, if any.</param>
    public async Task<Answer> CastAsync(HostProcess at, SignedInVoter voter, int choice, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/surveys/{id}/votes");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", voter.AccessToken);
        if (key is not null) request.Headers.Add("Idempotency-Key", $"\"{key}\"");
        request.Content = JsonContent.Create(Body(choice));
        try
        {
            using var response = await at.Public.SendAsync(request);
            var answer = new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync());
            if (answer.IsAccepted) site.Promise(answer.VoteId!);
            return answer;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException)
        {
            return new(0, e.Message);
        }
    }

    /// <summary>
    /// Casts until it is accepted or refused for good, as a client does that is told to send it again.
    /// </summary>
    /// <param name="at">Which process to ask, each time anew.</param>
    /// <param name="voter">Who votes.</param>
    /// <param name="choice">One bit an option.</param>
    /// <param name="seen">Told of every answer.</param>
    public async Task<Answer> CastUntilKnownAsync(
        Func<HostProcess> at, SignedInVoter voter, int choice, Action<Answer>? seen = null)
    {
        var answer = new Answer(0, "");
        await Until.HoldsAsync($"a ballot is accepted; last {answer}", async () =>
        {
            answer = await CastAsync(at(), voter, choice);
            seen?.Invoke(answer);
            return answer.Status is not (0 or 503);
        });
        return answer;
    }

    public async Task<JsonElement> VoteAsync(HostProcess at, SignedInVoter voter, string voteId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/surveys/{id}/votes/{voteId}");
        request.Headers.Authorization = new("Bearer", voter.AccessToken);
        using var answer = await at.Public.SendAsync(request);
        return answer.IsSuccessStatusCode ? JsonElement.Parse(await answer.Content.ReadAsStringAsync()) : default;
    }

    /// <returns>What everybody is shown; null when the process does not answer.</returns>
    public async Task<JsonElement?> ResultsAsync(HostProcess at)
    {
        try
        {
            using var answer = await at.Public.GetAsync($"/v1/surveys/{id}/results");
            return answer.IsSuccessStatusCode ? JsonElement.Parse(await answer.Content.ReadAsStringAsync()) : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
