using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Platform;
using Voting;

namespace VotingTests;

/// <summary>What one api process has of Redis: a connection that is watched, and reservations on it.</summary>
internal sealed class RedisProcess : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    private RedisProcess(ServiceProvider services, int ownCountMax)
    {
        _services = services;
        Link = services.GetRequiredService<RedisLink>();
        Own = new(ownCountMax, TimeProvider.System);
        Reservations = new(Own, new(Link, TimeSpan.FromDays(7)));
    }

    public RedisLink Link { get; }

    public InProcessReservations Own { get; }

    public RedisReservations Reservations { get; }

    public static string NewPrefix() => $"test-{Guid.NewGuid():N}:";

    /// <param name="server">As Redis__ConnectionString.</param>
    /// <param name="prefix">The same for processes that share.</param>
    /// <param name="timeout">Generous where nothing is to be lost: the machine may be busy.</param>
    /// <param name="ownCountMax">How many reservations of its own it keeps.</param>
    public static async Task<RedisProcess> StartAsync(
        string server, string prefix, TimeSpan? timeout = null, int ownCountMax = 1_000)
    {
        var settings = new ConfigurationManager
        {
            ["Redis:ConnectionString"] = server,
            ["Redis:KeyPrefix"] = prefix,
            ["Redis:CallTimeout"] = (timeout ?? TimeSpan.FromSeconds(2)).ToString("c"),
            ["Redis:RetryInterval"] = "00:00:00.020",
        };
        var services = new ServiceCollection().AddMetrics().AddLogging();
        services.AddSingleton<IConfiguration>(settings).AddSingleton(TimeProvider.System).AddRedis(settings);
        var process = new RedisProcess(services.BuildServiceProvider(), ownCountMax);
        foreach (var watch in process._services.GetServices<IHostedService>())
            await watch.StartAsync(TestContext.Current.CancellationToken);
        return process;
    }

    /// <summary>Waits until it asks Redis, or no longer does.</summary>
    public async Task UntilAsync(bool answers)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (Link.Answers != answers) await Task.Delay(10, deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var watch in _services.GetServices<IHostedService>()) await watch.StopAsync(CancellationToken.None);
        await _services.DisposeAsync();
    }
}
