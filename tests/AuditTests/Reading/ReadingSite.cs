using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>Tests that read what one installation archives share it.</summary>
[CollectionDefinition(Name)]
public sealed class ReadingCollection : ICollectionFixture<ReadingSite>, ICollectionFixture<GoVerifier>
{
    public const string Name = "reading";
}

/// <summary>
/// One process in role <c>all</c> that archives an election, and a witness of its log of logs that comes late.
/// </summary>
public sealed class ReadingSite : IAsyncLifetime
{
    private const string WitnessName = "witness.example/reading";

    // Generous: two cores may be doing several things at once.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-reading-");
    private readonly Queue<SignedInVoter> _voters = new();
    private readonly Postgres _postgres;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private Installation? _installation;

    public ReadingSite(Postgres postgres)
        : this(postgres, new Dictionary<string, string>())
    {
    }

    /// <param name="postgres">Where its database is made.</param>
    /// <param name="settings">On top of all others, for every process.</param>
    internal ReadingSite(Postgres postgres, IReadOnlyDictionary<string, string> settings) =>
        (_postgres, _settings) = (postgres, settings);

    public Installation Installation => _installation!;

    public HttpClient Public => Installation.Public;

    internal WitnessProcess Witness { get; private set; } = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _installation = await Installation.StartAsync(_postgres, [], new Dictionary<string, string>(_settings)
        {
            ["Audit__SealAfter"] = "00:00:00.300",
            ["Limits__AddressPerSecond"] = "100000",
            ["Limits__AddressBurst"] = "100000",
            ["Limits__VoterPerSecond"] = "100000",
            ["Limits__VoterBurst"] = "100000",
        });
        Witness = await WitnessProcess.StartAsync(
            _directory.FullName, WitnessName, [(await KeyAsync("checkpoints")).ToString()], Cancel);
        await Installation.StartHostAsync("all", new Dictionary<string, string>
        {
            ["Audit__Witnesses__0__Url"] = Witness.Address.ToString(),
            ["Audit__Witnesses__0__VerifierKey"] = Witness.VerifierKey,
            // Nobody listens there: an outage for the whole time.
            ["Audit__Witnesses__1__Url"] = "http://127.0.0.1:9/",
            ["Audit__Witnesses__1__VerifierKey"] = Signers.Witness("gone.example").Verifier.ToString(),
            ["Audit__Witnesses__1__AllLogs"] = "true",
            ["Audit__Witnessing__PollInterval"] = "00:00:00.200",
            ["Audit__Results__PollInterval"] = "00:00:00.200",
            ["Audit__Reconciliation__PollInterval"] = "00:00:00.500",
            ["Audit__Reconciliation__PassInterval"] = "00:00:02",
            ["Audit__Verification__PassInterval"] = "00:00:02",
        }, Cancel);
        foreach (var voter in await Installation.NewVotersAsync(40)) _voters.Enqueue(voter);
    }

    public async ValueTask DisposeAsync()
    {
        if (_installation is not null) await _installation.DisposeAsync();
        if (Witness is not null) await Witness.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    /// <summary>A log's key as the installation made it, read past the API.</summary>
    internal async Task<VerifierKey> KeyAsync(string log)
    {
        await using var query = Installation.Database.Source.CreateCommand(
            "SELECT public_key FROM platform.keys WHERE purpose = $1 ORDER BY number DESC LIMIT 1");
        query.Parameters.Add(new() { Value = $"log-{log}" });
        var encoded = (byte[])(await query.ExecuteScalarAsync(Cancel))!;
        // The last 32 bytes of a SubjectPublicKeyInfo of Ed25519 are the key.
        return VerifierKey.Of(
            NoteKeyType.Log, $"voting.localhost/{log}", encoded.AsSpan(encoded.Length - Digest.Bytes));
    }

    /// <summary>A survey of one question with two options, which takes ballots.</summary>
    internal async Task<ReadingSurvey> OpenSurveyAsync()
    {
        const string body = """
            {"title":"Reading","questions":[{"title":"Which?","min":1,"max":1,"order":0,
             "options":[{"text":"One","order":0},{"text":"Two","order":1}]}]}
            """;
        using var made = await AskAsync(HttpMethod.Post, "/v1/internal/surveys", "manager", body);
        var survey = (await JsonAsync(made)).GetProperty("id").GetString()!;
        using var opened = await AskAsync(HttpMethod.Put, $"/v1/internal/surveys/{survey}/publish", "manager");
        opened.EnsureSuccessStatusCode();
        JsonElement json = default;
        await UntilAsync(async () =>
        {
            using var answer = await Public.GetAsync($"/v1/surveys/{survey}", Cancel);
            if (answer.IsSuccessStatusCode) json = await JsonAsync(answer);
            return answer.IsSuccessStatusCode;
        });
        var question = json.GetProperty("questions")[0];
        return new(survey, question.GetProperty("id").GetString()!,
            [.. question.GetProperty("options").EnumerateArray().Select(one => one.GetProperty("id").GetString()!)]);
    }

    /// <summary>Has a voter of its own cast a ballot.</summary>
    /// <returns>The vote's id, and the entry that its receipt names.</returns>
    internal async Task<(string Vote, string Entry)> CastAsync(ReadingSurvey survey, int option)
    {
        var chosen = survey.Options[option];
        var body = $$$"""{"answers":[{"question":"{{{survey.Question}}}","options":["{{{chosen}}}"]}]}""";
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/surveys/{survey.Id}/votes")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", _voters.Dequeue().AccessToken) },
        };
        using var answer = await Public.SendAsync(request, Cancel);
        var cast = await JsonAsync(answer);
        Assert.True(answer.StatusCode is System.Net.HttpStatusCode.Accepted, cast.ToString());
        var payload = cast.GetProperty("receipt").GetString()!.Split('.')[1];
        using var receipt = JsonDocument.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(payload));
        return (cast.GetProperty("voteId").GetString()!, receipt.RootElement.GetProperty("event_digest").GetString()!);
    }

    internal async Task<HttpResponseMessage> AskAsync(
        HttpMethod method, string path, string role, string? body = null)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
            Headers =
            {
                Authorization = new AuthenticationHeaderValue("Bearer", await Installation.StaffTokenAsync(role)),
            },
        };
        return await Installation.Internal.SendAsync(request, Cancel);
    }

    /// <summary>An answer of the auditors' search, which must be 200.</summary>
    internal async Task<JsonElement> SearchAsync(string query)
    {
        using var answer = await AskAsync(HttpMethod.Get, $"/v1/internal/audit/events{query}", "auditor");
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancel));
        return await JsonAsync(answer);
    }

    /// <summary>Asks a public address as it is spelt.</summary>
    internal async Task<(int Status, byte[] Body, HttpResponseMessage Answer)> GetAsync(string path)
    {
        var address = new Uri(
            $"http://{Public.BaseAddress!.Authority}{path}",
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var answer = await Public.GetAsync(address, Cancel);
        return ((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(Cancel), answer);
    }

    internal async Task<SignedCheckpoint> CheckpointAsync(string log)
    {
        var (status, body, _) = await GetAsync($"/v1/audit/logs/{log}/checkpoint");
        Assert.Equal(200, status);
        Assert.True(SignedCheckpoint.TryParse(Encoding.UTF8.GetString(body), out var checkpoint));
        return checkpoint;
    }

    /// <summary>All entries of a log's tree of some size, as everybody may read them.</summary>
    internal async Task<Digest[]> EntriesAsync(string log, long size)
    {
        var entries = new List<Digest>();
        while (entries.Count < size)
        {
            var width = (int)Math.Min(TileId.FullWidth, size - entries.Count);
            var tile = new TileId(TileId.EntriesLevel, entries.Count / TileId.FullWidth, width);
            var (status, body, _) = await GetAsync($"/v1/audit/logs/{log}/{tile.Path}");
            Assert.Equal(200, status);
            Assert.True(EntryBundle.TryParse(body, width, out var some));
            entries.AddRange(some);
        }

        return [.. entries];
    }

    /// <summary>Waits for a condition, and fails when it does not come.</summary>
    internal async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(Patience);
        while (!await holds())
        {
            Assert.False(
                deadline.IsCancellationRequested, $"It did not happen. {Installation.Hosts[0].LastOutput}");
            await Task.Delay(50, Cancel);
        }
    }

    internal static async Task<JsonElement> JsonAsync(HttpResponseMessage answer)
    {
        using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(Cancel));
        return json.RootElement.Clone();
    }
}

/// <summary>A survey of one question.</summary>
internal sealed record ReadingSurvey(string Id, string Question, string[] Options);
