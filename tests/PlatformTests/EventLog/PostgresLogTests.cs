using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;
using Testing;

namespace PlatformTests;

/// <summary>The PostgreSQL log keeps what every log promises, and what only it can be asked for.</summary>
public sealed class PostgresLogTests(Postgres postgres) : RelayConformanceTests(postgres)
{
    private readonly List<Opened> _opened = [];
    private TestDatabase _database = null!;

    public override async ValueTask InitializeAsync()
    {
        _database = await Postgres.NewPlatformDatabaseAsync(Cancel);
        await using var log = New(_database.ConnectionString, new());
        Assert.Equal(Topics.Length, await log.EnsureTopicsAsync(Cancel));
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var opened in _opened)
        {
            opened.Connection.Mend();
            await opened.Stop.CancelAsync();
            await opened.Running.WaitAsync(Patience);
            await opened.Log.DisposeAsync();
            await opened.Connection.DisposeAsync();
            opened.Stop.Dispose();
        }

        await _database.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override Task<IEventLog> OpenAsync() => Task.FromResult<IEventLog>(Open());

    protected override Task CutOffAsync(IEventLog log)
    {
        _opened.Single(opened => opened.Log == log).Connection.Cut();
        return Task.CompletedTask;
    }

    protected override Task ReconnectAsync(IEventLog log)
    {
        _opened.Single(opened => opened.Log == log).Connection.Mend();
        return Task.CompletedTask;
    }

    protected override IEventLog OpenImpatient() =>
        Open(new() { AppendTimeout = TimeSpan.FromSeconds(1), QueueCountMax = 10, CommitCountMax = 10 });

    protected override Task SilenceAsync(IEventLog log)
    {
        _opened.Single(opened => opened.Log == log).Connection.Silence();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Creating_the_topics_again_changes_nothing_and_another_partition_count_is_refused()
    {
        await using var same = New(_database.ConnectionString, new());
        await using var other = New(_database.ConnectionString, new(), [new("single", 2)]);
        await using var unknown = New(_database.ConnectionString, new(), [new("not-created", 1)]);

        Assert.Equal(0, await same.EnsureTopicsAsync(Cancel));
        await Assert.ThrowsAsync<LogNotReadyException>(() => other.EnsureTopicsAsync(Cancel));
        await Assert.ThrowsAsync<LogNotReadyException>(() => other.RunAsync(Cancel).WaitAsync(Patience, Cancel));
        await Assert.ThrowsAsync<LogNotReadyException>(() => unknown.RunAsync(Cancel).WaitAsync(Patience, Cancel));
    }

    [Fact]
    public async Task While_the_database_is_blocked_no_more_than_the_queue_takes_waits()
    {
        var log = Open(new() { QueueCountMax = 10, CommitCountMax = 5 });
        Task<long>[] waiting;
        await using (await _database.LockAsync(Single, Cancel))
        {
            var blocked = log.AppendAsync(Single, Record("blocked"), Cancel).AsTask();
            await UntilBlockedAsync();
            var more = Enumerable.Range(0, 10).Select(i => log.AppendAsync(Single, Record($"{i}"), Cancel).AsTask());
            waiting = [blocked, .. more];

            var refused = await Assert.ThrowsAsync<AppendFailedException>(
                async () => await log.AppendAsync(Single, Record("refused"), Cancel));
            Assert.Equal(AppendFailure.Overloaded, refused.Failure);
        }

        var offsets = await Task.WhenAll(waiting).WaitAsync(Patience, Cancel);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], offsets);
        Assert.Equal(new LogRange(0, 11), await log.RangeAsync(Single, Cancel));
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_ends_and_the_record_may_still_be_there()
    {
        var log = Open();
        using var cancel = new CancellationTokenSource();
        await using (await _database.LockAsync(Single, Cancel))
        {
            var given = log.AppendAsync(Single, Record("given up"), cancel.Token);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await given);
        }

        Assert.Equal(1, await log.AppendAsync(Single, Record("next"), Cancel));
    }

    [Fact]
    public async Task A_session_that_is_ended_leaves_no_gap_and_the_log_goes_on()
    {
        var log = Open();
        await log.AppendAsync(Single, Record("before"), Cancel);
        Task<long> interrupted;
        await using (await _database.LockAsync(Single, Cancel))
        {
            interrupted = log.AppendAsync(Single, Record("interrupted"), Cancel).AsTask();
            await ExecuteAsync($"SELECT pg_terminate_backend({await UntilBlockedAsync()}, 5000)");
            var failed = await Assert.ThrowsAsync<AppendFailedException>(() => interrupted.WaitAsync(Patience, Cancel));
            Assert.Equal(AppendFailure.Unknown, failed.Failure);
        }

        Assert.Equal(1, await AppendOnceBackAsync(log, "after"));
    }

    [Fact]
    public async Task An_append_of_unknown_outcome_does_not_come_to_stand_behind_a_later_one()
    {
        var log = Open();
        await log.AppendAsync(Single, Record("before"), Cancel);
        await using (await _database.LockAsync(Single, Cancel))
        {
            var cutOff = log.AppendAsync(Single, Record("cut off"), Cancel).AsTask();
            await UntilBlockedAsync();
            // The server does not notice: its session goes on waiting for the lock, with the record in its hands.
            await CutOffAsync(log);
            var failed = await Assert.ThrowsAsync<AppendFailedException>(() => cutOff.WaitAsync(Patience, Cancel));
            Assert.Equal(AppendFailure.Unknown, failed.Failure);
            var refused = await Assert.ThrowsAsync<AppendFailedException>(
                async () => await log.AppendAsync(Single, Record("away"), Cancel));
            Assert.Equal(AppendFailure.NotPersisted, refused.Failure);

            await ReconnectAsync(log);
            await AppendOnceBackAsync(log, "after", new("orders", 0));
        }

        var after = await log.AppendAsync(Single, Record("after"), Cancel);
        Assert.Equal(new LogRange(0, after + 1), await log.RangeAsync(Single, Cancel));
        await using var reader = log.OpenReader(Single, 0);
        Assert.Equal(["before", "after"], (await ReadAsync(reader, (int)after + 1)).Select(Text));
    }

    [Fact]
    public async Task A_refusal_by_the_database_is_not_persisted_and_leaves_no_gap()
    {
        var log = Open();
        await ExecuteAsync("ALTER TABLE platform.log_batches ADD CHECK (topic <> 'single' OR record_count < 3)");

        var failed = await Assert.ThrowsAsync<AppendFailedException>(
            () => log.AppendAsync(Single, [Record("a"), Record("b"), Record("c")], Cancel));

        Assert.Equal(AppendFailure.NotPersisted, failed.Failure);
        Assert.Equal(0, await log.AppendAsync(Single, Record("next"), Cancel));
        Assert.Equal(new LogRange(0, 1), await log.RangeAsync(Single, Cancel));
    }

    [Fact]
    public async Task The_rest_of_a_call_is_not_appended_after_a_part_of_it_failed()
    {
        var log = Open(new() { CommitCountMax = 2 });
        await ExecuteAsync("ALTER TABLE platform.log_batches ADD CHECK (first_offset <> 2)");

        var failed = await Assert.ThrowsAsync<AppendFailedException>(
            () => log.AppendAsync(Single, [.. Enumerable.Range(0, 6).Select(i => Record($"{i}"))], Cancel));

        Assert.Equal(AppendFailure.Unknown, failed.Failure);
        Assert.Equal(new LogRange(0, 2), await log.RangeAsync(Single, Cancel));
    }

    [Fact]
    public async Task A_statement_that_takes_too_long_is_not_persisted()
    {
        var log = Open(new() { AppendTimeout = TimeSpan.FromMilliseconds(200) });
        await log.AppendAsync(Single, Record("before"), Cancel);
        await using (await _database.LockAsync(Single, Cancel))
        {
            var failed = await Assert.ThrowsAsync<AppendFailedException>(
                async () => await log.AppendAsync(Single, Record("late"), Cancel));
            Assert.Equal(AppendFailure.NotPersisted, failed.Failure);
        }

        Assert.Equal(1, await log.AppendAsync(Single, Record("after"), Cancel));
    }

    [Fact]
    public async Task Whatever_waits_when_the_log_is_told_to_stop_is_appended_and_nothing_later()
    {
        var log = Open();
        Task<long>[] waiting =
            [.. Enumerable.Range(0, 100).Select(i => log.AppendAsync(Single, Record($"{i}"), Cancel).AsTask())];

        await _opened[0].Stop.CancelAsync();
        Assert.Equal(100, (await Task.WhenAll(waiting).WaitAsync(Patience, Cancel)).Length);
        await _opened[0].Running.WaitAsync(Patience, Cancel);

        var refused = await Assert.ThrowsAsync<AppendFailedException>(
            async () => await log.AppendAsync(Single, Record("late"), Cancel));
        Assert.Equal(AppendFailure.NotPersisted, refused.Failure);
    }

    [Fact]
    public async Task Records_past_their_retention_go_and_the_start_moves()
    {
        Topic[] topics = [new("single", 1, Retention: TimeSpan.FromHours(1)), Topics[0]];
        var log = Open(new() { RetentionInterval = TimeSpan.FromMilliseconds(50) }, topics);
        await log.AppendAsync(Single, [Record("old"), Record("old too")], Cancel);
        await log.AppendAsync(Single, Record("new"), Cancel);
        await log.AppendAsync(new("orders", 0), Record("kept"), Cancel);
        await using var reader = log.OpenReader(Single, 0);
        await ExecuteAsync(
            "UPDATE platform.log_batches SET appended_at = now() - interval '2 hours' WHERE first_offset = 0");

        await UntilAsync(async () => (await log.RangeAsync(Single, Cancel)).Start == 2);

        Assert.Equal(new LogRange(2, 3), await log.RangeAsync(Single, Cancel));
        Assert.Equal(new LogRange(0, 1), await log.RangeAsync(new("orders", 0), Cancel));
        Assert.Equal("new", Text(Assert.Single(await ReadAsync(reader, 1))));
        // Nothing is left; the partition goes on where it was, and a reader from before finds the way.
        await ExecuteAsync("UPDATE platform.log_batches SET appended_at = now() - interval '2 hours'");
        await UntilAsync(async () => (await log.RangeAsync(Single, Cancel)).Start == 3);
        await using var late = log.OpenReader(Single, 0);
        Assert.Empty(await late.ReadAsync(10, TimeSpan.Zero, Cancel));
        Assert.Equal(3, await log.AppendAsync(Single, Record("next"), Cancel));
        Assert.Equal("next", Text(Assert.Single(await ReadAsync(late, 1))));
    }

    private PostgresLog Open(PostgresLogOptions? options = null, Topic[]? topics = null)
    {
        var to = new NpgsqlConnectionStringBuilder(_database.ConnectionString);
        var between = new CuttableConnection(to.Host!, to.Port);
        (to.Host, to.Port) = ("127.0.0.1", between.Port);
        options ??= new();
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
        options.SessionTimeout = TimeSpan.FromSeconds(1.5);
        var log = New(to.ConnectionString, options, topics);
        var stop = new CancellationTokenSource();
        _opened.Add(new(log, between, stop, Task.Run(() => log.RunAsync(stop.Token))));
        return log;
    }

    private static PostgresLog New(string connectionString, PostgresLogOptions options, Topic[]? topics = null) => new(
        Options.Create(new DatabaseOptions { ConnectionString = connectionString }), Options.Create(options),
        topics ?? Topics, TimeProvider.System, NullLogger<PostgresLog>.Instance);

    /// <returns>The process id of the session that waits for the row.</returns>
    private async Task<int> UntilBlockedAsync()
    {
        object? blocked = null;
        await UntilAsync(async () =>
        {
            await using var query = _database.Source.CreateCommand("""
                SELECT pid FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%log_append%'
                """);
            blocked = await query.ExecuteScalarAsync(Cancel);
            return blocked is not null;
        });
        return (int)blocked!;
    }

    /// <summary>Appends as soon as the log has found its database again.</summary>
    private static async Task<long> AppendOnceBackAsync(PostgresLog log, string value, TopicPartition? to = null)
    {
        var offset = -1L;
        await UntilAsync(async () =>
        {
            try
            {
                offset = await log.AppendAsync(to ?? Single, Record(value), Cancel);
                return true;
            }
            catch (AppendFailedException e) when (e.Failure is AppendFailure.NotPersisted)
            {
                return false;
            }
        });
        return offset;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private sealed record Opened(
        PostgresLog Log, CuttableConnection Connection, CancellationTokenSource Stop, Task Running);
}
