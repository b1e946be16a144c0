using Microsoft.Extensions.Options;
using Platform;
using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]

namespace ArchitectureTests;

internal static class Databases
{
    private const int Shards = 2;

    /// <summary>All that the verb <c>migrate</c> makes, with two shards in the control database.</summary>
    public static Task<TestDatabase> NewInstallationAsync(this Postgres postgres, CancellationToken cancel) =>
        postgres.NewMigratedDatabaseAsync("everything", MigrateAsync, cancel);

    private static Task MigrateAsync(string connectionString, CancellationToken cancel)
    {
        var map = new ShardMap(
            Options.Create(new ShardOptions()),
            Options.Create(new DatabaseOptions { ConnectionString = connectionString }),
            Options.Create(new LogOptions { VotePartitions = Shards }));
        return new Migrator(map, connectionString, Host.Composition.Migrations).MigrateAsync(cancel);
    }
}
