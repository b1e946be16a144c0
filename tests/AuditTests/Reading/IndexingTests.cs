using System.Diagnostics.Metrics;
using Audit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Testing;

namespace AuditTests;

/// <summary>Processes that make the same segments searchable, side by side and one after the other's end.</summary>
public sealed class IndexingTests(Postgres postgres) : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-indexing-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DirectoryArchive Store => new(_directory.FullName);

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Of_processes_side_by_side_of_which_some_end_midway_each_event_is_indexed_once()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        var auditor = site.Start();
        await site.AppendEverywhereAsync(10);
        await site.SettledAsync();
        // Of the month there is a table from here on.
        await using (new Indexer(site, Store)) await IndexedAsync(site);
        await site.AppendEverywhereAsync(60);
        await site.SettledAsync();
        foreach (var isRead in new[] { false, true }) await EndAtReadAsync(site, isRead);
        await EndAtCopyAsync(site);
        Assert.False(await IsIndexedAsync(site));

        await using var first = new Indexer(site, Store);
        await using var second = new Indexer(site, Store);
        await using var third = new Indexer(site, Store);
        for (var i = 0; i < 3; i++) await site.AppendEverywhereAsync(30);
        await site.SettledAsync();
        await IndexedAsync(site);

        await auditor.ThrowIfFailedAsync();
        Assert.Equal(Appended(site), await site.ReadAsync<long>("SELECT count(*) FROM audit.events"));
        Assert.Equal(0, await site.ReadAsync<long>("""
            SELECT count(*) FROM audit.heads h WHERE log <> 'checkpoints' AND h.size <> (
                SELECT count(DISTINCT index) FROM audit.events e WHERE e.log = h.log AND e.index < h.size)
            """));
    }

    [Fact]
    public async Task The_index_is_made_anew_after_a_month_was_detached_and_while_one_is()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        site.Start();
        await site.AppendEverywhereAsync(10);
        await site.SettledAsync();
        await using (new Indexer(site, Store)) await IndexedAsync(site);
        await DetachAsync();
        await site.ExecuteAsync("TRUNCATE audit.events, audit.indexed, audit.survey_counts");
        await using var indexer = new Indexer(site, Store);
        await IndexedAsync(site);
        Assert.Equal(Appended(site), await site.ReadAsync<long>("SELECT count(*) FROM audit.events"));

        var kept = await site.ReadAsync<long>("SELECT count(*) FROM audit.events");
        await DetachAsync();
        await site.AppendEverywhereAsync(10);
        await site.SettledAsync();
        await IndexedAsync(site);
        Assert.Equal(Appended(site) - kept, await site.ReadAsync<long>("SELECT count(*) FROM audit.events"));

        async Task DetachAsync()
        {
            var parts = await site.ReadAsync<string>("""
                SELECT string_agg(inhrelid::regclass::text, ';') FROM pg_inherits
                WHERE inhparent = 'audit.events'::regclass
                """);
            foreach (var part in parts.Split(';'))
                await site.ExecuteAsync($"ALTER TABLE audit.events DETACH PARTITION {part}");
        }
    }

    /// <summary>A process claims segments and ends before, or after, it has read one.</summary>
    private async Task EndAtReadAsync(SealingSite site, bool isRead)
    {
        var gate = new Gate(Store);
        var came = isRead ? gate.HoldAfter("read", "votes-01") : gate.HoldBefore("read", "votes-01");
        await using (new Indexer(site, gate)) await came.WaitAsync(SealingSite.Patience, Cancel);
        await ExpireAsync(site);
    }

    /// <summary>A process has moved a log's position, and ends before the events are there.</summary>
    private async Task EndAtCopyAsync(SealingSite site)
    {
        await using (await site.HoldAsync("LOCK TABLE audit.events IN SHARE MODE"))
        await using (new Indexer(site, Store))
        {
            await site.BlockedAsync();
            await site.EndBlockedAsync();
        }

        await ExpireAsync(site);
    }

    /// <summary>What an ended process had claimed is anybody's: as it is ten seconds later.</summary>
    private static Task ExpireAsync(SealingSite site) => site.ExecuteAsync(
        "UPDATE audit.indexed SET claimed_until = now() - interval '1 second' WHERE claimant IS NOT NULL");

    private static Task IndexedAsync(SealingSite site) =>
        SealingSite.UntilAsync("all is indexed", () => IsIndexedAsync(site));

    private static Task<bool> IsIndexedAsync(SealingSite site) => site.ReadAsync<bool>("""
        SELECT NOT EXISTS (
            SELECT 1 FROM audit.heads h LEFT JOIN audit.indexed i USING (log)
            WHERE h.log <> 'checkpoints' AND coalesce(i.checkpoint, 0) < h.checkpoint)
        """);

    private static long Appended(SealingSite site) => SealingSite.Logs.Votes.Append(SealingSite.Logs.Events)
        .SelectMany(log => log.Sources).Sum(source => (long)site.Appended(source).Count);

    /// <summary>A process's loop, with connections of its own. Disposing ends it where it stands.</summary>
    private sealed class Indexer : IAsyncDisposable
    {
        private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        private readonly AuditDatabase _database;
        private readonly IndexEvents _loop;

        public Indexer(SealingSite site, IArchiveStore store)
        {
            _database = new(
                SealingSite.Shards(site.Database.ConnectionString),
                Options.Create(SealingSite.Connection(site.Database.ConnectionString)));
            _loop = new(
                new(_database), store,
                Options.Create(new SearchOptions { PollInterval = TimeSpan.FromMilliseconds(50) }),
                new(_services.GetRequiredService<IMeterFactory>()), TimeProvider.System,
                NullLogger<IndexEvents>.Instance);
            _ = _loop.StartAsync(CancellationToken.None);
        }

        public async ValueTask DisposeAsync()
        {
            await _loop.StopAsync(CancellationToken.None);
            _loop.Dispose();
            await _database.DisposeAsync();
            await _services.DisposeAsync();
        }
    }
}
