using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Registers the connection to Redis, or the lack of one.</summary>
public static class RedisSetup
{
    /// <summary>Adds <see cref="RedisLink"/>, and what keeps it connected if the settings name a server.</summary>
    public static void AddRedis(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<RedisOptions>("Redis");
        services.AddSingleton(provider => new RedisLink(
            provider.GetRequiredService<IOptions<RedisOptions>>(), provider.GetRequiredService<IMeterFactory>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<RedisLink>>()));
        if (configuration["Redis:ConnectionString"] is { Length: > 0 }) services.AddHostedService<RedisWatch>();
    }
}

/// <summary>Keeps the connection while the process runs.</summary>
internal sealed class RedisWatch(RedisLink redis, TimeProvider clock) : BackgroundService
{
    // Requests come as soon as the host has started, and the first ones should be ordered as well.
    private static readonly TimeSpan FirstAttemptMax = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(_tried.Task, Task.Delay(FirstAttemptMax, clock, cancellationToken));
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        redis.WatchAsync(() => _tried.TrySetResult(), stoppingToken);
}
