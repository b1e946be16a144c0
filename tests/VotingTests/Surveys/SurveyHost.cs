using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Platform;
using Testing;
using Voting;

namespace VotingTests;

/// <summary>The surveys behind real listeners on loopback, over a migrated database of their own.</summary>
internal sealed class SurveyHost : IAsyncDisposable
{
    private static readonly MigrationSet[] Migrations =
        [new("platform", typeof(MasterKey).Assembly), new("voting", typeof(VotingDatabase).Assembly)];

    private readonly WebApplication _app;

    /// <summary>Who gives orders that come by no request.</summary>
    public static EventActor Actor { get; } = new("test", "manager");

    private SurveyHost(WebApplication app, TestDatabase database)
    {
        (_app, Database) = (app, database);
        var ports = app.Services.GetRequiredService<OpenListeners>();
        Public = new() { BaseAddress = new($"http://127.0.0.1:{ports.Port(Listener.Public)}") };
        Anonymous = new() { BaseAddress = new($"http://127.0.0.1:{ports.Port(Listener.Internal)}") };
        Manager = Staff(StaffRole.Manager);
    }

    public TestDatabase Database { get; }

    public IServiceProvider Services => _app.Services;

    public SurveyDirectory Directory => Services.GetRequiredService<SurveyDirectory>();

    /// <summary>The public listener, with no token.</summary>
    public HttpClient Public { get; }

    /// <summary>The internal listener, with no token.</summary>
    public HttpClient Anonymous { get; }

    /// <summary>The internal listener, as an election manager.</summary>
    public HttpClient Manager { get; }

    public static async Task<SurveyHost> StartAsync(Postgres postgres)
    {
        var cancel = TestContext.Current.CancellationToken;
        var database = await NewDatabaseAsync(postgres);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(Settings(database));
        builder.Logging.ClearProviders();
        builder.Services.TryAddSingleton(TimeProvider.System);
        AddPlatform(builder.Services);
        builder.Services.AddTokens();
        builder.AddPlatformHttp(Role.Api | Role.Backoffice);
        builder.AddSurveys(Role.Api | Role.Backoffice);
        var app = builder.Build();
        app.UsePlatformHttp();
        app.MapPublicSurveys();
        app.MapInternalSurveys();
        var keys = app.Services.GetRequiredService<KeyRing>();
        await keys.EnsureAsync(cancel);
        await keys.LoadAsync(cancel);
        await app.StartAsync(cancel);
        var host = new SurveyHost(app, database);
        await host.Directory.ReadAfterAsync(0, cancel);
        return host;
    }

    /// <summary>Everything but HTTP, with a clock of the test's own; no loop is started.</summary>
    public static async Task<(ServiceProvider Services, TestDatabase Database)> ServicesAsync(
        Postgres postgres, TimeProvider clock)
    {
        var database = await NewDatabaseAsync(postgres);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(Settings(database));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(clock);
        AddPlatform(builder.Services);
        builder.AddSurveys(Role.Consumer);
        return (builder.Services.BuildServiceProvider(), database);
    }

    public HttpClient Staff(string role)
    {
        var token = Services.GetRequiredService<StaffTokens>().Issue("test", role, TimeSpan.FromHours(1));
        return new()
        {
            BaseAddress = Anonymous.BaseAddress,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
        };
    }

    /// <summary>Creates a draft and returns it as it was answered.</summary>
    public async Task<JsonObject> CreateAsync(JsonObject? body = null)
    {
        var answer = await Manager.PostAsync(
            "/v1/internal/surveys", JsonContent.Create(body ?? Bodies.Survey()), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return await answer.JsonAsync();
    }

    /// <summary>Creates a survey, publishes it, and waits until this process knows.</summary>
    public async Task<JsonObject> PublishedAsync(JsonObject? body = null)
    {
        var survey = await CreateAsync(body);
        await OrderAsync(survey, "publish");
        return survey;
    }

    /// <summary><c>publish</c> or <c>finish</c>; waits until this process knows.</summary>
    public async Task<JsonObject> OrderAsync(JsonObject survey, string order)
    {
        var cancel = TestContext.Current.CancellationToken;
        var answer = await Manager.PutAsync($"/v1/internal/surveys/{survey["id"]}/{order}", null, cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await Directory.ReadAfterAsync(Services.GetRequiredService<TimeProvider>().GetTimestamp(), cancel);
        return await answer.JsonAsync();
    }

    /// <summary>
    /// Sets the final result of a closing survey, as the closing loop does; waits until this process knows.
    /// </summary>
    public async Task FinalizeAsync(JsonObject survey, string votes = "{}")
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var update = Database.Source.CreateCommand($"""
            UPDATE voting.surveys SET status = 'finished', final_statement = 'a.b.c', final_version = 7,
                final_ballots = 3, final_votes = '{votes}', final_at = '2030-01-15T10:30:00Z' WHERE id = {survey["id"]}
            """);
        await update.ExecuteNonQueryAsync(cancel);
        await Directory.ReadAfterAsync(Services.GetRequiredService<TimeProvider>().GetTimestamp(), cancel);
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var query = Database.Source.CreateCommand(sql);
        return (T)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        Public.Dispose();
        Anonymous.Dispose();
        Manager.Dispose();
        await Database.DisposeAsync();
    }

    private static Task<TestDatabase> NewDatabaseAsync(Postgres postgres) =>
        postgres.NewMigratedDatabaseAsync("surveys", MigrateAsync, TestContext.Current.CancellationToken);

    private static async Task MigrateAsync(string connectionString, CancellationToken cancel)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
            [new("Database:ConnectionString", connectionString)]).Build());
        AddPlatform(services);
        await using var provider = services.BuildServiceProvider();
        await new Migrator(provider.GetRequiredService<ShardMap>(), connectionString, Migrations).MigrateAsync(cancel);
    }

    private static void AddPlatform(IServiceCollection services)
    {
        services.AddSettings<DatabaseOptions>("Database");
        services.AddSettings<ShardOptions>("Shards");
        services.AddSettings<LogOptions>("Log");
        services.TryAddSingleton<ShardMap>();
        services.AddKeys();
        services.AddRedis(new ConfigurationBuilder().Build());
    }

    private static Dictionary<string, string?> Settings(TestDatabase database) => new()
    {
        ["Database:ConnectionString"] = database.ConnectionString,
        ["Database:PoolSizeMax"] = "12",
        ["Keys:MasterKey"] = Convert.ToBase64String(new byte[32]),
        ["Http:PublicPort"] = "0",
        ["Http:InternalPort"] = "0",
        ["Http:ManagementPort"] = "0",
        ["Voting:Surveys:PollInterval"] = "00:00:00.050",
    };
}

/// <summary>One host for all tests of a class.</summary>
public sealed class SharedSurveys(Postgres postgres) : IAsyncLifetime
{
    internal SurveyHost Host { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Host = await SurveyHost.StartAsync(postgres);

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}
