using Microsoft.Extensions.Options;
using Platform;
using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]
[assembly: AssemblyFixture(typeof(KafkaCluster))]

namespace PlatformTests;

internal static class PlatformDatabases
{
    /// <summary>A database of the test's own with the platform's own schema.</summary>
    public static Task<TestDatabase> NewPlatformDatabaseAsync(this Postgres postgres, CancellationToken cancel) =>
        postgres.NewMigratedDatabaseAsync("platform", MigrateAsync, cancel);

    private static Task MigrateAsync(string connectionString, CancellationToken cancel) =>
        Migrator(connectionString).MigrateAsync(cancel);

    /// <summary>Brings a database up to the platform's own migrations.</summary>
    public static Migrator Migrator(string connectionString) =>
        new(Shards(connectionString), connectionString, [new("platform", typeof(IEventLog).Assembly)]);

    private static ShardMap Shards(string connectionString) => new(
        Options.Create(new ShardOptions()),
        Options.Create(new DatabaseOptions { ConnectionString = connectionString }),
        Options.Create(new LogOptions()));
}
