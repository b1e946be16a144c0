using System.Globalization;
using Audit;
using Microsoft.AspNetCore.Http;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>
/// Processes of role audit on a server with Object Lock, killed, stopped and cut off: everything is sealed once, and no
/// checkpoint contradicts another.
/// </summary>
public sealed class SealingProcessTests(Postgres postgres) : IAsyncLifetime
{
    private static readonly SealedLog[] Sealed =
        [.. SealingSite.Logs.Votes, SealingSite.Logs.Events, SealingSite.Logs.Checkpoints];

    private StoreProxy _proxy = null!;
    private Installation _installation = null!;
    private S3Link _link = null!;
    private SealingSite _site = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var (server, bucket) = (await ObjectStore.SharedAsync(), await ObjectStores.NewBucketAsync());
        _proxy = await StoreProxy.StartAsync(server);
        _link = await ObjectStores.LinkAsync(bucket);
        _installation = await Installation.StartAsync(
            postgres, [], new Dictionary<string, string>(server.Settings(bucket))
            {
                ["Archive__S3__ServiceUrl"] = _proxy.Address,
                ["Archive__S3__RequestTimeout"] = "00:00:20",
                ["Log__VotePartitions"] = SealingSite.Partitions.ToString(CultureInfo.InvariantCulture),
                ["Log__Postgres__HeartbeatInterval"] = "00:00:00.200",
                ["Log__Postgres__SessionTimeout"] = "00:00:02",
                ["Audit__Origin"] = SealingSite.Origin,
                ["Audit__SealAfter"] = "00:00:00.050",
                ["Audit__SealEntryCountMax"] = "40",
                // What is written here is no ballot, and nobody counts it.
                ["Audit__Reconciliation__PollInterval"] = "00:05:00",
            }, Cancel);
        _site = SealingSite.Of(_installation, new S3Archive(_link, 1, TimeProvider.System));
        await _site.AppendEverywhereAsync(20);
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _site.DisposeAsync();
        await _installation.DisposeAsync();
        _link.Dispose();
    }

    [Fact]
    public async Task Killed_at_every_step_of_sealing_every_event_is_archived_once()
    {
        var steps = new (string Request, bool IsDone)[]
        {
            ("PUT segment", false), ("PUT segment", true), ("LIST", false), ("PUT checkpoint", false),
            ("PUT checkpoint", true),
        };
        for (var turn = 0; turn < steps.Length; turn++)
        {
            var audit = await StartAsync();
            await _site.SettledAsync();
            // Each log at another step.
            var held = Sealed.Select((log, i) =>
            {
                var (request, isDone) = steps[(turn + i) % steps.Length];
                return _proxy.Hold(request, log.Folder, isDone);
            }).ToArray();
            await _site.AppendEverywhereAsync(10);
            foreach (var one in held.Take(3)) await one.CameAsync();
            await audit.KillAsync();
            // What it had sent arrives after its death.
            foreach (var one in held) one.LetGo();
        }

        foreach (var (table, isDone) in new[]
        {
            ("audit.heads", true), ("audit.heads", false), ("audit.segments", false), ("audit.ranges", true),
            ("audit.tiles", false), ("platform.log_positions", true),
        })
        {
            var audit = await StartAsync();
            await _site.SettledAsync();
            await using var held = await _site.HoldAsync($"LOCK TABLE {table} IN SHARE MODE");
            await _site.AppendEverywhereAsync(10);
            await BlockedAsync();
            await audit.KillAsync();
            // Its statement may be carried out without it, or go with it.
            if (!isDone) await EndBlockedAsync();
        }

        await StartAsync();
        await AssertAllAsync();
    }

    [Fact]
    public async Task Of_two_processes_one_that_stood_still_for_longer_than_its_session_changes_nothing()
    {
        var first = await StartAsync();
        await _site.SettledAsync();
        // Of one log it has stored the segment; of the next it has seen that the number is free, and goes on to move
        // the head; of the last it has moved the head, and not stored the checkpoint.
        Held[] held =
        [
            _proxy.Hold("PUT segment", Sealed[0].Folder, isDone: true),
            _proxy.Hold("LIST", Sealed[2].Folder, isDone: true),
            _proxy.Hold("PUT checkpoint", Sealed[1].Folder, isDone: false),
        ];
        await _site.AppendEverywhereAsync(30);
        foreach (var one in held) await one.CameAsync();
        await first.PauseAsync();
        await StartAsync();
        await _site.SettledAsync();
        await _site.AppendEverywhereAsync(50);
        await _site.SettledAsync();

        foreach (var one in held) one.LetGo();
        first.Resume();
        await _site.AppendEverywhereAsync(50);

        await AssertAllAsync();
        Assert.False(first.HasExited, first.LastOutput);
    }

    [Fact]
    public async Task While_the_store_is_slow_or_fails_nothing_is_lost_and_then_it_catches_up()
    {
        var audit = await StartAsync(new() { ["Archive__S3__RequestTimeout"] = "00:00:00.800" });
        await _site.SettledAsync();
        var asked = 0;
        _proxy.Before = async context =>
        {
            switch (Interlocked.Increment(ref asked) % 4)
            {
                case 0:
                    context.Abort();
                    return false;
                case 1:
                    context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                    await context.Response.WriteAsync("<Error><Code>SlowDown</Code></Error>", Cancel);
                    return false;
                case 2:
                    // It answers when nobody listens any more.
                    await Task.Delay(TimeSpan.FromSeconds(1.2), Cancel);
                    return true;
                default:
                    context.Response.StatusCode = StatusCodes.Status403Forbidden;
                    await context.Response.WriteAsync("<Error><Code>AccessDenied</Code></Error>", Cancel);
                    return false;
            }
        };
        await _site.AppendEverywhereAsync(100);
        await SealingSite.UntilAsync("it was tried again and again", () => Task.FromResult(asked > 60));
        Assert.True((await _site.Log.LagAsync(SealVotes.Group, VoteTopics.Votes, Cancel)).Values.Sum() > 0);
        Assert.True(await MetricAsync(audit, "audit_seal_failures_total") > 0);
        Assert.False(audit.HasExited, audit.LastOutput);

        _proxy.Before = async _ =>
        {
            await Task.Delay(100, Cancel);
            return true;
        };
        await _site.AppendEverywhereAsync(50);
        await AssertAllAsync();
        Assert.Equal(0, await audit.TerminateAsync(Cancel));
    }

    private Task<HostProcess> StartAsync(Dictionary<string, string>? settings = null) =>
        _installation.StartHostAsync("audit", settings, Cancel);

    private async Task AssertAllAsync()
    {
        await _site.SettledAsync();
        await using var database = new AuditDatabase(
            SealingSite.Shards(_installation.Database.ConnectionString),
            Microsoft.Extensions.Options.Options.Create(
                SealingSite.Connection(_installation.Database.ConnectionString)));
        var keys = new Dictionary<string, VerifierKey>();
        foreach (var log in SealingSite.Logs.All) keys[log.Name] = await KeyAsync(log);
        // What was put and never named stays for its retention, and is no evidence.
        await SealedArchive.AssertAllAsync(
            _site, new(database), new(database), isPure: false, log => keys[log.Name]);
    }

    private async Task<VerifierKey> KeyAsync(SealedLog log)
    {
        var encoded = await _site.ReadAsync<byte[]>(
            $"SELECT public_key FROM platform.keys WHERE purpose = '{log.KeyPurpose}'");
        return VerifierKey.OfInfo(NoteKeyType.Log, log.Origin, encoded);
    }

    private static async Task<double> MetricAsync(HostProcess host, string name) =>
        (await host.Management.GetStringAsync("/metrics", Cancel)).Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Sum(line => double.Parse(
                line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));

    private Task BlockedAsync() =>
        SealingSite.UntilAsync("the process waits for a lock", () => _site.ReadAsync<bool>("""
            SELECT count(*) > 0 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
            """));

    private Task EndBlockedAsync() => _site.ExecuteAsync("""
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
        """);
}
