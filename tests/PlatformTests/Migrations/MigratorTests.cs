using Platform;
using Testing;

namespace PlatformTests;

public sealed class MigratorTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_run_applies_nothing()
    {
        await using var database = await postgres.NewDatabaseAsync(Cancel);
        var migrator = PlatformDatabases.Migrator(database.ConnectionString);

        Assert.InRange(await migrator.MigrateAsync(Cancel), 2, int.MaxValue);
        Assert.Equal(0, await migrator.MigrateAsync(Cancel));
    }

    [Fact]
    public async Task Two_runs_at_once_apply_everything_once()
    {
        await using var database = await postgres.NewDatabaseAsync(Cancel);
        var migrator = PlatformDatabases.Migrator(database.ConnectionString);

        var applied = await Task.WhenAll(migrator.MigrateAsync(Cancel), migrator.MigrateAsync(Cancel));

        Assert.Contains(0, applied);
        Assert.InRange(applied.Sum(), 2, int.MaxValue);
    }

    [Fact]
    public async Task An_applied_migration_that_was_edited_is_refused()
    {
        await using var database = await postgres.NewPlatformDatabaseAsync(Cancel);
        await using (var edit = database.Source.CreateCommand(
            "UPDATE platform.migrations SET digest = sha256('something else') WHERE name LIKE '0001%'"))
        {
            Assert.Equal(1, await edit.ExecuteNonQueryAsync(Cancel));
        }

        var refusal = await Assert.ThrowsAsync<MigrationException>(
            () => PlatformDatabases.Migrator(database.ConnectionString).MigrateAsync(Cancel));

        Assert.Contains("0001", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("edited", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_is_not_UTF8_is_refused_before_anything_is_applied()
    {
        await using var database = await postgres.NewDatabaseAsync(Cancel);
        var name = $"{database.Name}_ascii";
        await using (var create = database.Source.CreateCommand(
            $"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"))
        {
            // Both wait for the disk, which others use as well.
            create.CommandTimeout = 120;
            await create.ExecuteNonQueryAsync(Cancel);
        }

        var other = new Npgsql.NpgsqlConnectionStringBuilder(database.ConnectionString) { Database = name };
        var refusal = await Assert.ThrowsAsync<InvalidSettingsException>(
            () => PlatformDatabases.Migrator(other.ConnectionString).MigrateAsync(Cancel));
        Assert.Contains("SQL_ASCII", refusal.Message, StringComparison.Ordinal);

        await using var drop = database.Source.CreateCommand($"DROP DATABASE {name} WITH (FORCE)");
        drop.CommandTimeout = 120;
        await drop.ExecuteNonQueryAsync(Cancel);
    }

    [Fact]
    public async Task A_module_role_may_touch_no_schema_but_its_own()
    {
        await using var database = await postgres.NewPlatformDatabaseAsync(Cancel);
        await using var trespass = database.Source.CreateCommand("""
            CREATE SCHEMA neighbour;
            CREATE TABLE neighbour.things ();
            SET ROLE voting_module_platform;
            SELECT 1 FROM neighbour.things;
            """);

        var refusal = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => trespass.ExecuteNonQueryAsync(Cancel));

        Assert.Equal(Npgsql.PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }
}
