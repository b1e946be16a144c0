using System.Net.Http.Json;
using System.Text.Json;
using Identity;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Platform;
using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]

namespace IdentityTests;

/// <summary>One api process: the module behind a real server, a provider at its side and PostgreSQL below.</summary>
internal sealed class Site : IAsyncDisposable
{
    public const string MasterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    /// <summary>Staff of this name have good tokens, and a module that does not admit them.</summary>
    public const string StaffNotAdmitted = "not-admitted";

    private readonly WebApplication _app;
    private readonly bool _ownsProvider;

    private Site(WebApplication app, TestDatabase database, ProviderServer provider, Clock clock, bool ownsProvider)
    {
        (_app, Database, Provider, Clock, _ownsProvider) = (app, database, provider, clock, ownsProvider);
        var port = app.Services.GetRequiredService<OpenListeners>().Port(Listener.Public);
        Http = new() { BaseAddress = new($"http://127.0.0.1:{port}") };
    }

    public HttpClient Http { get; }

    public TestDatabase Database { get; }

    public ProviderServer Provider { get; }

    public Clock Clock { get; }

    public IServiceProvider Services => _app.Services;

    public KeyRing Keys => Services.GetRequiredService<KeyRing>();

    /// <summary>A process on a database of its own.</summary>
    public static async Task<Site> StartAsync(Postgres postgres, params (string Key, string Value)[] settings)
    {
        var clock = new Clock();
        var provider = await ProviderServer.StartAsync(clock);
        var database = await postgres.NewMigratedDatabaseAsync("identity", MigrateAsync, Cancel);
        return await StartAsync(database, provider, clock, ownsProvider: true, settings);
    }

    /// <summary>One more process of the same installation.</summary>
    public Task<Site> StartAnotherAsync() => StartAsync(Database, Provider, Clock, ownsProvider: false, []);

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async Task<HttpResponseMessage> PostAsync(string path, object body, string? accessToken = null) =>
        await SendAsync(HttpMethod.Post, path, accessToken, JsonContent.Create(body));

    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? accessToken = null, HttpContent? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        if (accessToken is not null) request.Headers.Authorization = new("Bearer", accessToken);
        return await Http.SendAsync(request, Cancel);
    }

    /// <summary>Signs in as it should go.</summary>
    public async Task<TokenResponse> SignInAsync(string subject, string? deviceId = null)
    {
        using var answer = await PostAsync(
            "/v1/auth/google/token",
            new { idToken = Provider.IdToken(subject), nonce = ProviderServer.Nonce, deviceId });
        Assert.Equal(200, (int)answer.StatusCode);
        return await TokensAsync(answer);
    }

    public async Task<HttpResponseMessage> RefreshAsync(string refreshToken, string? deviceId = null) =>
        await PostAsync("/v1/auth/refresh", new { refreshToken, deviceId });

    /// <returns>Whether the access token opens what voters may open.</returns>
    public async Task<bool> OpensAsync(string accessToken)
    {
        using var answer = await SendAsync(HttpMethod.Get, "/v1/auth/sessions", accessToken);
        return answer.IsSuccessStatusCode;
    }

    /// <summary>Rows of all shards.</summary>
    /// <param name="table">With a condition behind it, if need be.</param>
    public async Task<long> CountAsync(string table)
    {
        var count = 0L;
        for (var shard = 0; shard < 4; shard++)
        {
            await using var query = Database.Source.CreateCommand($"SELECT count(*) FROM identity_0{shard}.{table}");
            count += (long)(await query.ExecuteScalarAsync(Cancel))!;
        }

        return count;
    }

    /// <summary>What moving the shards leaves behind: every process that has another epoch may not write.</summary>
    public async Task MoveShardsAsync(int epoch)
    {
        for (var shard = 0; shard < 4; shard++)
        {
            await using var move = Database.Source.CreateCommand($"UPDATE identity_0{shard}.shard SET epoch = {epoch}");
            await move.ExecuteNonQueryAsync(Cancel);
        }
    }

    public static async Task<TokenResponse> TokensAsync(HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<TokenResponse>(JsonSerializerOptions.Web, Cancel))!;

    /// <summary>Asserts a refusal of the contract's form.</summary>
    public static async Task<JsonElement> AssertProblemAsync(HttpResponseMessage answer, int status, string code)
    {
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal($"https://errors.voting/{code}", problem.GetProperty("type").GetString());
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("traceId").GetString()));
        return problem;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        if (_ownsProvider) await Provider.DisposeAsync();
    }

    private static async Task<Site> StartAsync(
        TestDatabase database, ProviderServer provider, Clock clock, bool ownsProvider, (string, string)[] settings)
    {
        var app = Build(database.ConnectionString, provider.Address, clock, settings);
        await app.Services.GetRequiredService<KeyRing>().LoadAsync(Cancel);
        app.UsePlatformHttp();
        app.MapIdentity(Role.Api);
        app.MapGet("/test/voter", (HttpContext context) => Convert.ToHexString(context.Voter().BallotSubject))
            .OnListener(Listener.Public).RequireAuthorization(Access.Voter);
        app.MapGet("/test/staff", (HttpContext context) => TypedResults.Text(context.Staff().Role))
            .OnListener(Listener.Public).RequireAuthorization(Access.Staff());
        app.MapGet("/test/manager", (HttpContext context) => TypedResults.Text(context.Staff().Subject))
            .OnListener(Listener.Public).RequireAuthorization(Access.Staff(StaffRole.Manager));
        await app.StartAsync(Cancel);
        return new(app, database, provider, clock, ownsProvider);
    }

    private static async Task MigrateAsync(string connectionString, CancellationToken cancel)
    {
        await using var app = Build(connectionString, "http://127.0.0.1", TimeProvider.System, []);
        var migrator = new Migrator(
            app.Services.GetRequiredService<ShardMap>(), connectionString,
            [PlatformModule.Migrations, IdentityModule.Migrations]);
        await migrator.MigrateAsync(cancel);
        await app.Services.GetRequiredService<KeyRing>().EnsureAsync(cancel);
        await app.Services.GetRequiredService<PostgresLog>().EnsureTopicsAsync(cancel);
    }

    private static WebApplication Build(
        string connectionString, string provider, TimeProvider clock, (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Database:ConnectionString"] = connectionString,
            ["Database:PoolSizeMax"] = "8",
            ["Log:VotePartitions"] = "4",
            ["Log:Provider"] = "postgres",
            ["Http:PublicPort"] = "0",
            ["Http:ManagementPort"] = "0",
            ["Keys:MasterKey"] = MasterKey,
            ["Identity:Providers:Google:Authority"] = provider,
            ["Identity:Providers:Google:ClientIds:0"] = ProviderServer.ClientId,
            ["Identity:Providers:Google:ClientIds:1"] = "another-app-of-ours",
        });
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(one => one.Key, one => (string?)one.Value));
        builder.Services.AddSingleton(clock);
        builder.AddPlatform(Role.Api);
        builder.Logging.ClearProviders();
        builder.AddIdentity(Role.Api);
        builder.Services.AddSingleton<StaffAdmission>(_ => true);
        builder.Services.AddSingleton<StaffAdmission>(caller => caller.Subject != StaffNotAdmitted);
        var app = builder.Build();
        Settings.Check(app.Services);
        return app;
    }
}
