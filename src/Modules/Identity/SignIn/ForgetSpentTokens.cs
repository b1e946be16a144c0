using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace Identity;

/// <summary>
/// Forgets ID tokens that were used and have expired since, a few at a time. Any number of processes may do it at once.
/// </summary>
internal sealed partial class ForgetSpentTokens(
    IdentityDatabase database, TimeProvider clock, ILogger<ForgetSpentTokens> logger) : BackgroundService
{
    /// <summary>Rows that one statement deletes: some milliseconds.</summary>
    internal const int BatchCountMax = 1_000;

    // A process whose clock is behind must not take a token that another one has forgotten.
    private static readonly TimeSpan ClockSkewMax = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                foreach (var shard in database.Shards)
                {
                    while (await ForgetAsync(shard, clock.GetUtcNow(), stoppingToken) == BatchCountMax)
                        await Task.Delay(Pause, clock, stoppingToken);
                }
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException)
            {
                // They do no harm but take up room: the next turn does what this one did not.
                NotForgotten(logger, e);
            }
        }
    }

    /// <returns>How many were forgotten: a whole batch means that there may be more.</returns>
    internal static async Task<int> ForgetAsync(ModuleShard shard, DateTimeOffset now, CancellationToken cancel)
    {
        await using var command = shard.Command(
            """
            DELETE FROM $schema$.spent_id_tokens WHERE digest IN (
                SELECT digest FROM $schema$.spent_id_tokens
                WHERE expires_at < $1 AND EXISTS (SELECT FROM $schema$.shard WHERE epoch = $2)
                ORDER BY expires_at LIMIT $3 FOR UPDATE SKIP LOCKED)
            """,
            now - ClockSkewMax, shard.Entry.Epoch, BatchCountMax);
        return await command.ExecuteNonQueryAsync(cancel);
    }

    [LoggerMessage(LogLevel.Warning, "ID tokens that expired could not be forgotten")]
    private static partial void NotForgotten(ILogger logger, Exception failure);
}
