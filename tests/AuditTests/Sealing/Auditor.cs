using System.Diagnostics.Metrics;
using Audit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform;
using Voting.Contracts;

namespace AuditTests;

/// <summary>What a process of role audit runs, within this one.</summary>
internal sealed class Auditor : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly AuditDatabase _database;
    private readonly RunningLog _log;
    private readonly SealTurns _turns;
    private readonly Task[] _loops;
    private bool _hasEnded;

    public Auditor(
        SealingSite site, IArchiveStore store, AuditOptions options, string groups, LogSigners signers,
        RunningLog log)
    {
        _log = log;
        _database = new(
            SealingSite.Shards(site.Database.ConnectionString),
            Options.Create(SealingSite.Connection(site.Database.ConnectionString)));
        _turns = new(options, TimeProvider.System);
        Heads = new(_database);
        Tiles = new(_database);
        Sealing = new(
            log.Log, SealingSite.Logs, signers, (one, _) => [.. signers(one).Select(signer => signer.Verifier)], Heads,
            _database, store, _turns, new(_services.GetRequiredService<IMeterFactory>()), Options.Create(options),
            TimeProvider.System,
            NullLogger<LogSealer>.Instance);
        // Of a group of its own it owns everything, whoever else does.
        _loops =
        [
            log.Log.ConsumeAsync(SealVotes.Group + groups, VoteTopics.Votes,
                (owned, stop) => Sealing.EventsAsync(SealingSite.Logs.Votes[owned.Partition.Partition], owned, stop),
                _stop.Token),
            log.Log.ConsumeAsync(SealEvents.Group + groups, Outbox.Topic.Name,
                (owned, stop) => new SealEvents(
                    log.Log, SealingSite.Logs, Sealing, Heads, TimeProvider.System, NullLogger<SealEvents>.Instance)
                    .WorkAsync(owned, stop),
                _stop.Token),
        ];
    }

    public HeadTable Heads { get; }

    public TileTable Tiles { get; }

    private Sealing Sealing { get; }

    /// <summary>What ended it by itself.</summary>
    public Task<Exception> FailureAsync() => FailedAsync(Task.WhenAny(_loops));

    public Task ThrowIfFailedAsync() => Task.WhenAll(_loops.Where(loop => loop.IsFaulted));

    /// <summary>
    /// Ends it where it stands: nothing that it has begun is brought to an end, but what the database does already.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_hasEnded) return;
        _hasEnded = true;
        await _stop.CancelAsync();
        await Task.WhenAll(_loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _log.DisposeAsync();
        await _database.DisposeAsync();
        await _services.DisposeAsync();
        _turns.Dispose();
        _stop.Dispose();
    }

    private static async Task<Exception> FailedAsync(Task<Task> ended) =>
        await Assert.ThrowsAnyAsync<Exception>(async () =>
            await (await ended.WaitAsync(SealingSite.Patience, TestContext.Current.CancellationToken)));
}
