using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Platform;
using Testing;

namespace PlatformTests;

/// <summary>Two processes that share a Redis limit a caller together.</summary>
public sealed class SharedLimitsTests : IAsyncLifetime
{
    private const int Burst = 50;

    private RedisServer _server = null!;
    private Process _first = null!;
    private Process _second = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync(Cancel);
        _first = await Process.StartAsync(_server.ConnectionString);
        _second = await Process.StartAsync(_server.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_caller_gets_one_burst_of_both_and_at_most_a_tenth_more_of_each()
    {
        await Process.UntilAsync(() => _first.Shared.IsThere && _second.Shared.IsThere);
        var passed = 0;
        for (var i = 0; i < 2 * Burst; i++)
            passed += await _first.PassesAsync(1) + await _second.PassesAsync(1);

        // By the server's clock one request a second is forgiven: a slow machine lets a few more through.
        Assert.InRange(passed, Burst, Burst + 2 * Burst / 10 + 5);
        Assert.Equal(1, await _second.PassesAsync(2));
    }

    [Fact]
    public async Task Who_used_the_burst_at_one_process_is_refused_at_another()
    {
        await Process.UntilAsync(() => _first.Shared.IsThere && _second.Shared.IsThere);
        for (var i = 0; i < Burst; i++) Assert.Equal(1, await _first.PassesAsync(1));

        var passed = 0;
        for (var i = 0; i < Burst; i++) passed += await _second.PassesAsync(1);
        Assert.InRange(passed, 0, Burst / 10 + 5);
    }

    [Fact]
    public async Task Without_Redis_each_process_limits_for_itself_and_nobody_is_refused_for_its_sake()
    {
        await Process.UntilAsync(() => _first.Shared.IsThere && _second.Shared.IsThere);
        await _server.KillAsync();

        foreach (var process in new[] { _first, _second })
        {
            var passed = 0;
            for (var i = 0; i < 2 * Burst; i++) passed += await process.PassesAsync(1);
            Assert.Equal(Burst, passed);
            Assert.False(process.Shared.IsThere);
        }

        await _server.RestartAsync(Cancel);
        await Process.UntilAsync(() => _first.Shared.IsThere);
        Assert.Equal(1, await _first.PassesAsync(2));
    }

    private sealed class Process : IAsyncDisposable
    {
        private readonly ServiceProvider _services;
        private readonly RateLimit _limit;

        private Process(ServiceProvider services)
        {
            _services = services;
            _limit = new("voter", perSecond: 1, Burst, new StandingClock());
            Shared = new(services.GetRequiredService<RedisLink>());
        }

        public SharedLimits Shared { get; }

        public static async Task<Process> StartAsync(string server)
        {
            var settings = new ConfigurationManager
            {
                ["Redis:ConnectionString"] = server,
                ["Redis:CallTimeout"] = "00:00:02",
                ["Redis:RetryInterval"] = "00:00:00.020",
            };
            var services = new ServiceCollection().AddMetrics().AddLogging();
            services.AddSingleton<IConfiguration>(settings).AddSingleton(TimeProvider.System).AddRedis(settings);
            var process = new Process(services.BuildServiceProvider());
            foreach (var watch in process._services.GetServices<IHostedService>()) await watch.StartAsync(Cancel);
            return process;
        }

        /// <returns>1 or 0.</returns>
        public async Task<int> PassesAsync(UInt128 caller)
        {
            var own = _limit.Take(caller, Shared.IsThere);
            return (await Shared.TellAsync(_limit, caller, own)).Allowed ? 1 : 0;
        }

        public static async Task UntilAsync(Func<bool> condition)
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            deadline.CancelAfter(TimeSpan.FromSeconds(60));
            while (!condition()) await Task.Delay(10, deadline.Token);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var watch in _services.GetServices<IHostedService>())
                await watch.StopAsync(CancellationToken.None);
            await _services.DisposeAsync();
        }
    }

    /// <summary>Stands still: nothing is forgiven here, and little by the server's own clock.</summary>
    private sealed class StandingClock : TimeProvider
    {
        public override long GetTimestamp() => 1_000_000_000_000;
    }
}
