using System.Globalization;
using Testing;

namespace ChaosTests;

/// <summary>A site whose api processes share a Redis of their own, which tests may kill and empty.</summary>
public sealed class RedisSite(Postgres postgres) : IAsyncLifetime
{
    internal Site Site { get; } = new(postgres);

    internal RedisServer Redis { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Redis = await RedisServer.StartAsync(TestContext.Current.CancellationToken);
        Site.Reservations = new Dictionary<string, string>
        {
            ["Redis__ConnectionString"] = Redis.ConnectionString,
            // A busy machine is no outage: races are raced for places, not against the clock.
            ["Redis__CallTimeout"] = "00:00:02",
        };
        await Site.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Site.DisposeAsync();
        if (Redis is not null) await Redis.DisposeAsync();
    }

    /// <summary>Waits until both api processes ask Redis, or no longer do.</summary>
    internal Task UntilAskedAsync(bool asked) =>
        Until.HoldsAsync(asked ? "Redis is asked" : "Redis is given up", async () =>
            await MetricAsync(Site.First, "redis_answers") == (asked ? 1 : 0)
            && await MetricAsync(Site.Second, "redis_answers") == (asked ? 1 : 0));

    /// <returns>The sum over all its labels; 0 when it was never counted.</returns>
    internal static async Task<double> MetricAsync(HostProcess host, string name)
    {
        var text = await host.Management.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        return text.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Split(' ')[1], CultureInfo.InvariantCulture));
    }
}
