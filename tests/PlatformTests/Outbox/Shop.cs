using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Platform;
using Testing;

namespace PlatformTests;

/// <summary>A module that takes orders and tells of them: a database with an outbox, and relays.</summary>
internal sealed class Shop(TestDatabase database) : IAsyncDisposable
{
    public const string Schema = "shop";

    private static readonly EventStamps Stamps = new(
        System.Security.Cryptography.RandomNumberGenerator.Create(), TimeProvider.System);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    // Told from the test's own sessions by its name.
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(
        new NpgsqlConnectionStringBuilder(database.ConnectionString) { ApplicationName = "relay" });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public OutboxTables Tables => new(_source, [new(Schema, null)]);

    public static async Task<Shop> OpenAsync(Postgres postgres)
    {
        var shop = new Shop(await postgres.NewDatabaseAsync(Cancel));
        await shop.ExecuteAsync("""
            CREATE SCHEMA shop;
            CREATE TABLE shop.orders (name text PRIMARY KEY);
            CREATE TABLE shop.outbox (
                number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, aggregate text NOT NULL, event bytea NOT NULL,
                traceparent text, tracestate text, written_at timestamptz NOT NULL DEFAULT clock_timestamp())
            """);
        return shop;
    }

    /// <summary>Says the next thing of an order, as a module does: the order's row is held.</summary>
    public async Task<OutboxEvent> WriteAsync(string order, int step, bool commit = true)
    {
        await using var connection = await database.Source.OpenConnectionAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await using (var hold = new NpgsqlCommand(
            "INSERT INTO shop.orders VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name",
            connection, transaction))
        {
            hold.Parameters.Add(new() { Value = order });
            await hold.ExecuteNonQueryAsync(Cancel);
        }

        var written = OutboxEvent.Compose(
            "order.stepped", "/shop", order, Stamps.New(EventActor.Operator), json => json.WriteNumber("step", step));
        await transaction.WriteEventAsync(Schema, written, Cancel);
        if (commit) await transaction.CommitAsync(Cancel);
        return written;
    }

    public OutboxRelay Relay(IEventLog log, int batchCountMax = 20) => new(
        Tables, log, new() { PollInterval = TimeSpan.FromMilliseconds(20), BatchCountMax = batchCountMax },
        TimeSpan.FromSeconds(5), new(_services.GetRequiredService<IMeterFactory>()), TimeProvider.System,
        NullLogger.Instance);

    /// <summary>Lets relays run until no event waits.</summary>
    public async Task RelayAllAsync(params OutboxRelay[] relays)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = relays.Select(relay => relay.RunAsync(stop.Token)).ToArray();
        await UntilEmptyAsync();
        await stop.CancelAsync();
        await Task.WhenAll(running);
    }

    public async Task UntilEmptyAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(30));
        while (await CountAsync("shop.outbox") > 0) await Task.Delay(20, deadline.Token);
    }

    public async Task<long> CountAsync(string of)
    {
        await using var query = database.Source.CreateCommand($"SELECT count(*) FROM {of}");
        return (long)(await query.ExecuteScalarAsync(Cancel))!;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await _services.DisposeAsync();
        await database.DisposeAsync();
    }
}
