using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Platform;

namespace Identity;

/// <summary>Keeps what this process knows of ended sessions up to date, from before its first request on.</summary>
internal sealed partial class FollowRevocations(
    IEventLog log, RevokedTokens revoked, ILogger<FollowRevocations> logger) : BackgroundService
{
    private const int BatchCountMax = 1_000;

    private static readonly TopicPartition Source = new(Revocations.Topic.Name, 0);
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(5);

    private ILogReader? _reader;

    /// <summary>Returns once everything that the topic held at its start is known here.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var range = await log.RangeAsync(Source, cancellationToken);
        _reader = log.OpenReader(Source, range.Start);
        var next = range.Start;
        while (next < range.End)
        {
            if (await TakeAsync(cancellationToken) is { } taken) next = taken;
            else
            {
                // Retention may have taken away what was there at first: then there is nothing to wait for.
                range = await log.RangeAsync(Source, cancellationToken);
                next = Math.Max(next, range.Start);
            }
        }

        CaughtUp(logger, next);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested) await TakeAsync(stoppingToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (_reader is not null) await _reader.DisposeAsync();
    }

    /// <returns>The offset after the last record taken; null when none came.</returns>
    private async Task<long?> TakeAsync(CancellationToken cancel)
    {
        var records = await _reader!.ReadAsync(BatchCountMax, WaitMax, cancel);
        foreach (var record in records)
        {
            if (Revocations.TryRead(record.Value, out var sessionId, out var at)) revoked.RevokeSession(sessionId, at);
        }

        return records.Count > 0 ? records[^1].Offset + 1 : null;
    }

    [LoggerMessage(
        LogLevel.Information, "Revocations from before this process's start are known, up to offset {Offset}")]
    private static partial void CaughtUp(ILogger logger, long offset);
}
