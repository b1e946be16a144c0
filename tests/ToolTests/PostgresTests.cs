using Npgsql;
using Testing;

namespace ToolTests;

public sealed class PostgresTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_databases_do_not_see_each_other()
    {
        await using var one = await postgres.NewDatabaseAsync(Cancel);
        await using var other = await postgres.NewDatabaseAsync(Cancel);

        await MakeTableAsync(one.ConnectionString, Cancel);

        Assert.True(await HasTableAsync(one));
        Assert.False(await HasTableAsync(other));
    }

    [Fact]
    public async Task A_template_is_migrated_once_however_many_copies_are_asked_for_at_once()
    {
        var migrations = 0;
        var key = Guid.NewGuid().ToString();

        var copies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => postgres.NewMigratedDatabaseAsync(
            key,
            async (connectionString, cancel) =>
            {
                Interlocked.Increment(ref migrations);
                await MakeTableAsync(connectionString, cancel);
            },
            Cancel)));

        Assert.Equal(1, migrations);
        foreach (var copy in copies)
        {
            Assert.True(await HasTableAsync(copy));
            await copy.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("fsync", "on")]
    [InlineData("synchronous_commit", "on")]
    [InlineData("full_page_writes", "on")]
    public async Task What_a_test_commits_is_as_durable_as_in_production(string setting, string value)
    {
        await using var database = await postgres.NewDatabaseAsync(Cancel);
        await using var show = database.Source.CreateCommand($"SHOW {setting}");

        Assert.Equal(value, await show.ExecuteScalarAsync(Cancel));
    }

    private static async Task MakeTableAsync(string connectionString, CancellationToken cancel)
    {
        // Left open in its pool, as a migration leaves it.
        var source = NpgsqlDataSource.Create(connectionString);
        await using var create = source.CreateCommand("CREATE TABLE things (id int PRIMARY KEY)");
        await create.ExecuteNonQueryAsync(cancel);
    }

    private static async Task<bool> HasTableAsync(TestDatabase database)
    {
        await using var find = database.Source.CreateCommand("SELECT to_regclass('things') IS NOT NULL");
        return (bool)(await find.ExecuteScalarAsync(Cancel))!;
    }
}
