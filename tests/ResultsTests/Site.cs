using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Platform;
using Results;
using Voting.Contracts;

namespace ResultsTests;

/// <summary>
/// The module behind a real server on a free port. Time stands still unless it is advanced; what is new is shown when a
/// test calls <see cref="TurnAsync"/>, so that a test says what happens between two frames, or when time advances.
/// </summary>
internal sealed class Site : IAsyncDisposable
{
    /// <summary>Longest wait for what must come.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<string, StrongBox<long>> _counts = [];
    private readonly MeterListener _meters = new();
    private WebApplication? _app;
    private IMeterFactory? _meterFactory;
    private int _rowReads;
    private int _surveyReads;

    private Site()
    {
    }

    public WebApplication App => _app!;

    public HttpClient Http { get; } = new();

    public MemoryLog Log { get; } = new(partitions: 2);

    public FakeTimeProvider Clock { get; } = new(new(2026, 1, 15, 10, 30, 0, 250, TimeSpan.Zero));

    public ConcurrentDictionary<int, PublicSurvey> Surveys { get; } = [];

    /// <summary>The shards' rows, as <c>ReadTallies</c> gives them.</summary>
    public ConcurrentDictionary<int, PartitionTally[]> Rows { get; } = [];

    /// <summary>Every request there was, as long as anything holds it.</summary>
    public ConcurrentBag<WeakReference<HttpContext>> Requests { get; } = [];

    public int SurveyReads => Volatile.Read(ref _surveyReads);

    public int RowReads => Volatile.Read(ref _rowReads);

    /// <summary>Reading rows waits for it, and fails when it fails.</summary>
    public Task RowsMayBeRead { get; set; } = Task.CompletedTask;

    public Boards Boards => App.Services.GetRequiredService<Boards>();

    public IPEndPoint Address => new(IPAddress.Loopback, Http.BaseAddress!.Port);

    /// <param name="settings">Of the section <c>Results</c>: name and value.</param>
    public static async Task<Site> StartAsync(params (string Name, string Value)[] settings)
    {
        var site = await StartAsync(Task.CompletedTask, settings);
        await UntilAsync(() => site.Boards.AreFollowed);
        return site;
    }

    /// <param name="logReachable">The log answers once this has ended.</param>
    /// <param name="settings">Of the section <c>Results</c>: name and value.</param>
    public static async Task<Site> StartAsync(Task logReachable, params (string Name, string Value)[] settings)
    {
        var site = new Site();
        site.Log.Reachable = logReachable;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(
            settings.Select(setting => KeyValuePair.Create($"Results:{setting.Name}", (string?)setting.Value)));
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // What the server holds back for a slow reader is out of date when it goes out.
            kestrel.Limits.MaxResponseBufferSize = 8 * 1024;
            kestrel.Listen(IPAddress.Loopback, 0, KeptConnection.AllowOn);
        });
        builder.Services.AddMetrics();
        builder.Services.AddProblemDetails();
        builder.Services.AddAuthentication().AddScheme<AuthenticationSchemeOptions, RoleHeader>("staff", null);
        builder.Services.AddAuthorization();
        builder.Services.AddSingleton<IEventLog>(site.Log);
        builder.Services.AddSingleton<TimeProvider>(site.Clock);
        builder.AddResults(Role.All);
        builder.Services.Replace(ServiceDescriptor.Singleton(new VotingReads(
            (id, _) => site.ReadSurvey(id), site.ReadRowsAsync)));

        site._app = builder.Build();
        site._app.Use((HttpContext context, RequestDelegate next) =>
        {
            site.Requests.Add(new(context));
            return next(context);
        });
        site._app.UseAuthentication();
        site._app.UseAuthorization();
        site._app.MapResults(Role.All);
        site.Listen();
        await site._app.StartAsync();
        site.Http.BaseAddress = new(site._app.Urls.First());
        return site;
    }

    /// <summary>Puts a tally into the log, and waits until the module has taken it.</summary>
    public async Task CountAsync(PartitionTally tally)
    {
        var before = Count("results.tallies.read");
        var partition = new TopicPartition(PartitionTally.Topic, tally.Survey % 2);
        await Log.AppendAsync(partition, new LogRecord(default, tally.ToBytes()), default);
        await UntilAsync(() => Count("results.tallies.read") > before);
    }

    /// <summary>Shows what is new.</summary>
    public async Task TurnAsync() => await Boards.TurnAsync(default);

    public async Task CountAndTurnAsync(PartitionTally tally)
    {
        await CountAsync(tally);
        await TurnAsync();
    }

    /// <returns>The sum of what was measured under that name.</returns>
    public long Count(string instrument) =>
        _counts.TryGetValue(instrument, out var sum) ? Interlocked.Read(ref sum.Value) : 0;

    public static async Task UntilAsync(Func<bool> holds)
    {
        using var deadline = new CancellationTokenSource(Patience);
        while (!holds()) await Task.Delay(5, deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await App.StopAsync(now.Token);
        await App.DisposeAsync();
        _meters.Dispose();
        Http.Dispose();
    }

    private ValueTask<PublicSurvey?> ReadSurvey(int id)
    {
        var survey = Surveys.GetValueOrDefault(id);
        Interlocked.Increment(ref _surveyReads);
        return new(survey);
    }

    private async ValueTask<IReadOnlyList<PartitionTally>> ReadRowsAsync(int id, CancellationToken cancel)
    {
        Interlocked.Increment(ref _rowReads);
        await RowsMayBeRead.WaitAsync(cancel);
        return Rows.GetValueOrDefault(id, []);
    }

    private void Listen()
    {
        _meterFactory = App.Services.GetRequiredService<IMeterFactory>();
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, _meterFactory)) listener.EnableMeasurementEvents(instrument);
        };
        // Allocates nothing, so that a test may measure what the module allocates.
        _meters.SetMeasurementEventCallback<long>((instrument, value, _, _) =>
            Interlocked.Add(ref _counts.GetOrAdd(instrument.Name, static _ => new()).Value, value));
        _meters.Start();
    }

    /// <summary>Signs staff in by a header: who may read what is asked here, not whether a token is genuine.</summary>
    private sealed class RoleHeader(
        IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers["X-Role"].ToString() is not { Length: > 0 } role)
                return Task.FromResult(AuthenticateResult.NoResult());

            var staff = new ClaimsIdentity([new(ClaimTypes.Role, role)], "staff");
            return Task.FromResult(AuthenticateResult.Success(new(new(staff), "staff")));
        }
    }
}
