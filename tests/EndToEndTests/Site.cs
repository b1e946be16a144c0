using System.Text.Json;
using Testing;

[assembly: AssemblyFixture(typeof(EndToEndTests.Site))]
[assembly: AssemblyFixture(typeof(KafkaCluster))]
// The tests wait far more than they work: for surveys to be known everywhere, for fences, for processes to start.
[assembly: CollectionBehavior(MaxParallelThreads = 8)]

namespace EndToEndTests;

/// <summary>The one installation that nearly all tests share: a single process in role <c>all</c>.</summary>
public sealed class Site : IAsyncLifetime
{
    /// <summary>The one web page that may call more than public GETs.</summary>
    public const string AllowedOrigin = "https://vote.example";

    /// <summary>How long anything that is promised within seconds is waited for on a busy machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim _waiting = new(1);
    private readonly Queue<SignedInVoter> _voters = new();
    private Installation? _installation;

    public Postgres Postgres { get; } = new();

    /// <summary>The process that all share.</summary>
    public Installation Installation => _installation!;

    public HostProcess Host => Installation.Hosts[0];

    public Door Public { get; private set; } = null!;

    public Door Internal { get; private set; } = null!;

    public Door Management { get; private set; } = null!;

    /// <summary>A manager's token.</summary>
    public string Manager { get; private set; } = "";

    /// <summary>What every installation of these tests is started with.</summary>
    public static Dictionary<string, string> Settings => new()
    {
        ["Http__AllowedOrigins__0"] = AllowedOrigin,
        ["Service__Environment"] = "test",
        ["Service__Region"] = "nowhere-1",
        ["Voting__Lease"] = "00:00:01",
        ["Limits__VoterPerSecond"] = "100000",
        ["Limits__VoterBurst"] = "100000",
    };

    public async ValueTask InitializeAsync()
    {
        _installation = await Installation.StartAsync(Postgres, ["all"], Settings);
        (Public, Internal, Management) = (new(Host.Public), new(Host.Internal), new(Host.Management));
        Manager = await Installation.StaffTokenAsync("manager");
    }

    /// <summary>
    /// After all that the tests did to it the process still runs, says of nothing that it failed, and ends in order.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (_installation is null) return;
            var failed = Host.Lines.FirstOrDefault(line =>
                line.Contains("\"level\":\"error\"", StringComparison.Ordinal)
                || line.Contains("\"level\":\"critical\"", StringComparison.Ordinal));
            Assert.True(failed is null, failed);
            Assert.False(Host.HasExited, Host.LastOutput);
            using var deadline = new CancellationTokenSource(Patience);
            Assert.Equal(0, await Host.TerminateAsync(deadline.Token));
        }
        finally
        {
            if (_installation is not null) await _installation.DisposeAsync();
            await Postgres.DisposeAsync();
            _waiting.Dispose();
        }
    }

    /// <summary>A voter that no other test has.</summary>
    public async Task<SignedInVoter> VoterAsync()
    {
        await _waiting.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (_voters.Count == 0)
            {
                foreach (var voter in await Installation.NewVotersAsync(20)) _voters.Enqueue(voter);
            }

            return _voters.Dequeue();
        }
        finally
        {
            _waiting.Release();
        }
    }

    /// <summary>A draft of this test's own.</summary>
    /// <param name="json">The body of its creation; null takes <see cref="Samples.Elections"/>.</param>
    public async Task<SampleSurvey> DraftAsync(string? json = null) =>
        new((await Internal.PostAsync("/v1/internal/surveys", Manager, json ?? Samples.Elections)).IsJson(201).Json);

    /// <summary>A survey that takes ballots, known to every process.</summary>
    /// <param name="json">The body of its creation; null takes <see cref="Samples.Elections"/>.</param>
    public async Task<SampleSurvey> OpenSurveyAsync(string? json = null)
    {
        var survey = await DraftAsync(json);
        (await Internal.PutAsync($"{survey.Internal}/publish", Manager)).IsJson(200);
        await EventuallyAsync(async () => (await Public.GetAsync(survey.Public)).Status == 200);
        return survey;
    }

    /// <summary>Ends a survey and waits for its final result.</summary>
    /// <returns>The final result as staff see it.</returns>
    public async Task<JsonElement> FinishAsync(SampleSurvey survey)
    {
        (await Internal.PutAsync($"{survey.Internal}/finish", Manager)).IsJson(200);
        JsonElement result = default;
        await EventuallyAsync(async () =>
        {
            result = (await Internal.GetAsync($"{survey.Internal}/results", Manager)).IsJson(200).Json;
            return result.GetProperty("status").GetString() == "final";
        });
        return result;
    }

    public async Task<T?> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Installation.Database.Source.CreateCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(new() { Value = parameter });
        return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken) is T value ? value : default;
    }

    /// <summary>Waits for a condition, and fails when it does not come.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> holds)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(Patience);
        while (!await holds())
        {
            Assert.False(deadline.IsCancellationRequested, $"It did not happen within {Patience}.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }
}
