using Npgsql;
using Testing;

namespace ArchitectureTests;

/// <summary>
/// One PostgreSQL role a module, on a real migrated database: what the code must not do, the server refuses.
/// </summary>
public sealed class DatabaseRoleTests(Postgres postgres)
{
    private const string Everything = """
        SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), c.relkind::text
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^(pg_|information_schema$)' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_modules_role_owns_exactly_its_schemas_and_what_is_in_them() =>
        Faults.None(await AfterAsync("SELECT 1", OwnershipFaultsAsync));

    [Fact]
    public async Task A_modules_role_is_refused_every_table_of_the_others() =>
        Faults.None(await AfterAsync("SELECT 1", TrespassesAsync));

    [Fact]
    public async Task A_modules_role_cannot_sign_in_nor_become_another() =>
        Faults.None(await AfterAsync("SELECT 1", PowerFaultsAsync));

    [Fact]
    public async Task Every_module_that_stores_something_has_its_schemas()
    {
        var stored = Clone.Files.Where(file => file.Extension is ".sql")
            .Select(file => file.Path.Split("/Migrations/")[0].Split('/')[^1].ToLowerInvariant()).Distinct().Order();

        Assert.Equal(stored, await AfterAsync("SELECT 1", async connection =>
            (await RowsAsync(connection, Everything)).Select(row => ModuleOf(row[0])).Distinct().Order()));
    }

    [Theory]
    [InlineData("GRANT SELECT ON voting.surveys TO voting_module_identity")]
    [InlineData("GRANT INSERT ON identity_00.voters TO voting_module_voting")]
    [InlineData("GRANT SELECT ON platform.keys TO PUBLIC; GRANT USAGE ON SCHEMA platform TO PUBLIC")]
    public async Task Refuses_a_privilege_on_another_modules_table(string grant) => Assert.NotEmpty(await AfterAsync(
        $"{grant}; GRANT USAGE ON SCHEMA voting, identity_00 TO voting_module_identity, voting_module_voting",
        TrespassesAsync));

    [Theory]
    [InlineData("ALTER TABLE voting.surveys OWNER TO voting_module_identity")]
    [InlineData("ALTER SCHEMA identity_01 OWNER TO CURRENT_USER")]
    [InlineData("CREATE SCHEMA voting_99 AUTHORIZATION voting_module_identity")]
    [InlineData("CREATE TABLE public.common ()")]
    public async Task Refuses_a_thing_that_another_owns(string sql) =>
        Assert.NotEmpty(await AfterAsync(sql, OwnershipFaultsAsync));

    [Theory]
    [InlineData("ALTER ROLE voting_module_voting SUPERUSER")]
    [InlineData("ALTER ROLE voting_module_voting LOGIN")]
    [InlineData("GRANT voting_module_identity TO voting_module_voting")]
    [InlineData("GRANT pg_read_all_data TO voting_module_voting")]
    public async Task Refuses_a_role_that_may_more(string sql) =>
        Assert.NotEmpty(await AfterAsync(sql, PowerFaultsAsync));

    /// <summary>Roles belong to the whole server, so what is planted is never committed.</summary>
    private async Task<T> AfterAsync<T>(string sql, Func<NpgsqlConnection, Task<T>> look)
    {
        await using var database = await postgres.NewInstallationAsync(Cancel);
        await using var connection = await database.Source.OpenConnectionAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await ExecuteAsync(connection, sql);
        return await look(connection);
    }

    private static async Task<IEnumerable<string>> OwnershipFaultsAsync(NpgsqlConnection connection)
    {
        var schemas = await RowsAsync(connection, """
            SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace
             WHERE nspname !~ '^(pg_|information_schema$)' AND nspname <> 'public'
            """);
        var things = await RowsAsync(connection, Everything);
        var functions = await RowsAsync(connection, """
            SELECT n.nspname, p.proname, pg_get_userbyid(p.proowner)
              FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname !~ '^(pg_|information_schema$)'
            """);

        Assert.NotEmpty(schemas);
        return
        [
            .. schemas.Where(row => row[1] != RoleOf(row[0])).Select(row => $"{row[1]} owns schema {row[0]}."),
            .. things.Concat(functions).Where(row => row[2] != RoleOf(row[0]))
                .Select(row => $"{row[2]} owns {row[0]}.{row[1]}."),
        ];
    }

    private static async Task<IEnumerable<string>> TrespassesAsync(NpgsqlConnection connection)
    {
        var tables = (await RowsAsync(connection, Everything)).Where(row => row[3] is "r" or "p").ToArray();
        var modules = tables.Select(row => ModuleOf(row[0])).Distinct().ToArray();
        var faults = new List<string>();
        foreach (var module in modules)
        {
            await ExecuteAsync(connection, $"SET LOCAL ROLE voting_module_{module}");
            foreach (var row in tables)
            {
                // The own table shows that it is the privilege that is missing, and not the table.
                var own = ModuleOf(row[0]) == module;
                foreach (var sql in own ? Attempts(row).Take(1) : Attempts(row))
                {
                    if (await IsRefusedAsync(connection, sql) == own)
                        faults.Add($"{module}: {(own ? "refused" : "taken")}: {sql}");
                }
            }
        }

        return faults;
    }

    private static async Task<IEnumerable<string>> PowerFaultsAsync(NpgsqlConnection connection)
    {
        var roles = (await RowsAsync(connection, Everything)).Select(row => RoleOf(row[0])).Distinct();
        var faults = new List<string>();
        foreach (var role in roles)
        {
            var powers = await RowsAsync(connection, $"""
                SELECT concat_ws(
                    ' ', rolname, rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls)
                  FROM pg_roles
                 WHERE rolname = '{role}'
                   AND (rolsuper OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
                UNION ALL
                SELECT '{role} is a member of ' || roleid::regrole FROM pg_auth_members WHERE member = '{role}'::regrole
                """);
            faults.AddRange(powers.Select(row => row[0]));
        }

        return faults;
    }

    private static string[] Attempts(string[] row)
    {
        var table = $"\"{row[0]}\".\"{row[1]}\"";
        return
        [
            $"SELECT FROM {table} LIMIT 0",
            $"INSERT INTO {table} SELECT * FROM {table} LIMIT 0",
            $"INSERT INTO {table} DEFAULT VALUES",
            $"DELETE FROM {table} WHERE false",
            $"TRUNCATE {table}",
        ];
    }

    private static async Task<bool> IsRefusedAsync(NpgsqlConnection connection, string sql)
    {
        await ExecuteAsync(connection, "SAVEPOINT attempt");
        try
        {
            await ExecuteAsync(connection, sql);
            return false;
        }
        catch (PostgresException e)
        {
            // A row that the table's constraints refuse has passed the privileges.
            return e.SqlState is PostgresErrorCodes.InsufficientPrivilege;
        }
        finally
        {
            await ExecuteAsync(connection, "ROLLBACK TO SAVEPOINT attempt");
        }
    }

    private static string ModuleOf(string schema) => schema.Split('_')[0];

    private static string RoleOf(string schema) => $"voting_module_{ModuleOf(schema)}";

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private static async Task<List<string[]>> RowsAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(Cancel);
        var rows = new List<string[]>();
        while (await reader.ReadAsync(Cancel))
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetString)]);
        return rows;
    }
}
