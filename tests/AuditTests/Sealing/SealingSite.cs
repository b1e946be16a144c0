using System.Text;
using Audit;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>
/// An installation whose votes, outcomes and events a test writes, and whose auditors it starts and ends.
/// </summary>
internal sealed class SealingSite : IAsyncDisposable
{
    public const int Partitions = 2;
    public const string Origin = "voting.test";

    public static readonly Topic[] Topics =
        [new(VoteTopics.Votes, Partitions), new(VoteTopics.Outcomes, Partitions), Outbox.Topic];

    /// <summary>Generous: the machine may be doing many other things.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<Auditor> _auditors = [];
    private readonly Dictionary<TopicPartition, List<byte[]>> _appended = [];
    private readonly Func<RunningLog> _open;
    private readonly RunningLog _log;

    private SealingSite(TestDatabase database, IArchiveStore store, Func<RunningLog>? open)
    {
        (Database, Store) = (database, store);
        _open = open ?? (() => RunningLog.Of(RunningLog.New(database.ConnectionString, Topics)));
        _log = _open();
    }

    /// <summary>Keys of the logs: one each.</summary>
    public static LogSigners Signers { get; } = log => [AuditTests.Signers.Log(log.Origin)];

    /// <summary>Their public halves.</summary>
    public static LogVerifiers Verifiers { get; } = (log, _) => [.. Signers(log).Select(signer => signer.Verifier)];

    public static SealedLogs Logs { get; } = new(Origin, Partitions);

    public TestDatabase Database { get; }

    /// <summary>The archive, as it is.</summary>
    public IArchiveStore Store { get; }

    public IEventLog Log => _log.Log;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="postgres">Where its database is made.</param>
    /// <param name="store">The archive.</param>
    /// <param name="open">A process's event log; null: that of the database.</param>
    public static async Task<SealingSite> OpenAsync(
        Postgres postgres, IArchiveStore store, Func<RunningLog>? open = null)
    {
        var database = await postgres.NewMigratedDatabaseAsync("sealing", MigrateAsync, Cancel);
        return new(database, store, open);
    }

    /// <summary>One whose auditors are processes: their database, with as many partitions.</summary>
    public static SealingSite Of(Installation installation, IArchiveStore store) =>
        new(installation.Database, store, null);

    /// <summary>Settings under which little is waited for and several checkpoints come about.</summary>
    public static AuditOptions Quick => new()
    {
        Origin = Origin,
        SealAfter = TimeSpan.FromMilliseconds(50),
        SealEntryCountMax = 40,
    };

    /// <summary>A process of role audit; more than one may run.</summary>
    public Auditor Start(
        IArchiveStore? store = null, AuditOptions? options = null, string groups = "", LogSigners? signers = null)
    {
        var auditor = new Auditor(this, store ?? Store, options ?? Quick, groups, signers ?? Signers, _open());
        _auditors.Add(auditor);
        return auditor;
    }

    /// <summary>Ends all auditors and starts another.</summary>
    public async Task<Auditor> RestartAsync(IArchiveStore? store = null)
    {
        await EndAllAsync();
        return Start(store);
    }

    public async Task EndAllAsync()
    {
        foreach (var auditor in _auditors) await auditor.DisposeAsync();
        _auditors.Clear();
    }

    /// <summary>Writes some events, all different, to a partition.</summary>
    public async Task AppendAsync(string topic, int partition, int count)
    {
        var to = new TopicPartition(topic, partition);
        if (!_appended.TryGetValue(to, out var all)) _appended[to] = all = [];
        byte[][] events = [.. Enumerable.Range(all.Count, count)
            .Select(number => Encoding.UTF8.GetBytes($$"""{"id":"{{to}}/{{number}}"}"""))];
        await AppendAsync(to, events);
    }

    public async Task AppendAsync(TopicPartition to, params byte[][] events)
    {
        if (!_appended.TryGetValue(to, out var all)) _appended[to] = all = [];
        await Log.AppendAsync(to, [.. events.Select(one => new LogRecord(default, one))], Cancel);
        all.AddRange(events);
    }

    /// <summary>Something in every partition of every topic.</summary>
    public async Task AppendEverywhereAsync(int count)
    {
        foreach (var topic in Topics)
        {
            for (var partition = 0; partition < topic.Partitions; partition++)
                await AppendAsync(topic.Name, partition, count + partition);
        }
    }

    /// <returns>All that was appended, by the source's name.</returns>
    public IReadOnlyList<byte[]> Appended(EntrySource source) =>
        _appended.GetValueOrDefault(new(source.Topic, source.Partition ?? 0), []);

    /// <summary>Waits until everything that was appended is sealed, published and in the log of logs.</summary>
    public Task SettledAsync() => UntilAsync("all is sealed", async () =>
    {
        foreach (var auditor in _auditors) await auditor.ThrowIfFailedAsync();
        foreach (var log in Logs.Votes.Append(Logs.Events))
        {
            var appended = log.Sources.Sum(source => (long)Appended(source).Count);
            if (await ReadAsync<long>($"""
                SELECT coalesce(sum(size) FILTER (WHERE published = checkpoint AND intent IS NULL), 0)::bigint
                FROM audit.heads WHERE log = '{log.Name}'
                """) != appended)
            {
                return false;
            }
        }

        return await ReadAsync<bool>("""
            SELECT (SELECT coalesce(sum(checkpoint), 0) FROM audit.heads WHERE log <> 'checkpoints') =
                (SELECT coalesce(sum(size) FILTER (WHERE published = checkpoint), 0)
                 FROM audit.heads WHERE log = 'checkpoints')
            """);
    });

    public async Task<T> ReadAsync<T>(string sql)
    {
        await using var query = Database.Source.CreateCommand(sql);
        return (T)(await query.ExecuteScalarAsync(Cancel))!;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>Holds what a statement locks, and whoever comes to need it.</summary>
    public async Task<NpgsqlConnection> HoldAsync(string sql)
    {
        var connection = await Database.Source.OpenConnectionAsync(Cancel);
        await using var hold = new NpgsqlCommand($"BEGIN; {sql}", connection);
        await hold.ExecuteNonQueryAsync(Cancel);
        return connection;
    }

    /// <summary>Waits until a session of an auditor waits for a lock.</summary>
    public Task BlockedAsync() => UntilAsync("an auditor waits for a lock", () => ReadAsync<bool>("""
        SELECT count(*) > 0 FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'voting audit'
        """));

    /// <summary>Ends the sessions that wait for a lock: what ended processes left behind does nothing more.</summary>
    public Task EndBlockedAsync() => ExecuteAsync("""
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'voting audit'
        """);

    /// <summary>Remembers how far logs are sealed, as a backup of the database would.</summary>
    public Task BackUpAsync() => ExecuteAsync("""
        BEGIN ISOLATION LEVEL REPEATABLE READ;
        CREATE SCHEMA backup;
        CREATE TABLE backup.heads AS TABLE audit.heads;
        CREATE TABLE backup.segments AS TABLE audit.segments;
        CREATE TABLE backup.ranges AS TABLE audit.ranges;
        CREATE TABLE backup.tiles AS TABLE audit.tiles;
        COMMIT
        """);

    /// <summary>Sets the database back to that.</summary>
    public Task RestoreAsync() => ExecuteAsync("""
        TRUNCATE audit.ranges, audit.segments, audit.tiles, audit.heads CASCADE;
        INSERT INTO audit.heads SELECT * FROM backup.heads;
        INSERT INTO audit.segments SELECT * FROM backup.segments;
        INSERT INTO audit.ranges SELECT * FROM backup.ranges;
        INSERT INTO audit.tiles SELECT * FROM backup.tiles
        """);

    public static async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > Patience) Assert.Fail($"Waited in vain: {what}.");
            await Task.Delay(20, Cancel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndAllAsync();
        await _log.DisposeAsync();
        await Database.DisposeAsync();
    }

    public static ShardMap Shards(string connectionString) => new(
        Options.Create(new ShardOptions()), Options.Create(Connection(connectionString)),
        Options.Create(new LogOptions { VotePartitions = Partitions }));

    public static DatabaseOptions Connection(string connectionString) => new() { ConnectionString = connectionString };

    private static async Task MigrateAsync(string connectionString, CancellationToken cancel)
    {
        MigrationSet[] sets = [new("platform", typeof(IEventLog).Assembly), AuditModule.Migrations];
        await new Migrator(Shards(connectionString), connectionString, sets).MigrateAsync(cancel);
        await using var log = RunningLog.New(connectionString, Topics);
        await log.EnsureTopicsAsync(cancel);
    }
}

/// <summary>A process's event log.</summary>
internal sealed class RunningLog : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly IAsyncDisposable _log;
    private readonly Task _running;

    private RunningLog(IEventLog log, ILogAdmin runs, IAsyncDisposable ends)
    {
        (Log, _log) = (log, ends);
        _running = Task.Run(() => runs.RunAsync(_stop.Token));
    }

    public IEventLog Log { get; }

    public static RunningLog Of<T>(T log)
        where T : IEventLog, ILogAdmin, IAsyncDisposable => new(log, log, log);

    public static PostgresLog New(string connectionString, Topic[] topics) => new(
        Options.Create(SealingSite.Connection(connectionString)),
        Options.Create(new PostgresLogOptions
        {
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            SessionTimeout = TimeSpan.FromSeconds(3),
            PollInterval = TimeSpan.FromMilliseconds(20),
        }),
        topics, TimeProvider.System, NullLogger<PostgresLog>.Instance);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _log.DisposeAsync();
        _stop.Dispose();
    }
}
