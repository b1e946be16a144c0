using System.Security.Cryptography;
using System.Text;
using DbUp;
using DbUp.Engine;
using DbUp.Engine.Transactions;
using Npgsql;

namespace Platform;

/// <summary>
/// Brings the control database and every shard up to the modules' migrations. The verb <c>migrate</c>.
/// </summary>
public sealed class Migrator(ShardMap map, string controlConnectionString, IEnumerable<MigrationSet> modules)
{
    /// <summary>
    /// Applies what is missing, in the modules' order. Safe to repeat; two at once wait for each other.
    /// </summary>
    /// <returns>How many scripts were applied.</returns>
    /// <exception cref="MigrationException">One failed, or an applied one was edited;
    /// what was applied before stays.</exception>
    /// <exception cref="InvalidSettingsException">A database does not keep text as UTF-8; nothing was
    /// applied.</exception>
    public async Task<int> MigrateAsync(CancellationToken cancel)
    {
        var databases = map.Shards.Select(shard => shard.ConnectionString).Prepend(controlConnectionString);
        foreach (var database in databases.Distinct())
            await RefuseOtherEncodingAsync(database, cancel);

        // One lock for the whole installation: schemas of shards that share a database are made one after the other.
        await using var source = NpgsqlDataSource.Create(controlConnectionString);
        await using var guard = await source.OpenConnectionAsync(cancel);
        await using (var take = new NpgsqlCommand("SELECT pg_advisory_lock(7231401)", guard))
            await take.ExecuteNonQueryAsync(cancel);

        var applied = 0;
        foreach (var module in modules)
        {
            applied += await ApplyAsync(module, "Control", module.Module, controlConnectionString, [], cancel);
            foreach (var shard in map.Shards)
            {
                var variables = new Dictionary<string, string>
                {
                    ["schema"] = ModuleDatabase.SchemaOf(module.Module, shard.Number),
                    ["epoch"] = shard.Epoch.ToString(),
                    ["partition_first"] = shard.PartitionFirst.ToString(),
                    ["partition_last"] = shard.PartitionLast.ToString(),
                };
                applied += await ApplyAsync(
                    module, "Shard", variables["schema"], shard.ConnectionString, variables, cancel);
            }
        }

        return applied;
    }

    private static async Task RefuseOtherEncodingAsync(string connectionString, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var ask = new NpgsqlCommand("SHOW server_encoding", connection);
        if (await ask.ExecuteScalarAsync(cancel) is string encoding and not "UTF8")
        {
            throw new InvalidSettingsException(
                $"The database {connection.Database} keeps text as {encoding}: name one with the encoding UTF8.");
        }
    }

    private static async Task<int> ApplyAsync(
        MigrationSet module, string folder, string schema, string connectionString,
        Dictionary<string, string> variables, CancellationToken cancel)
    {
        var scripts = Scripts(module, folder);
        if (scripts.Length == 0) return 0;

        await CreateSchemaAsync(connectionString, ModuleDatabase.RoleOf(module.Module), schema, cancel);
        var owned = new NpgsqlConnectionStringBuilder(connectionString)
        {
            // As an option, not as SearchPath: DbUp would try to create the schema, which this role may not.
            Options = $"-c role={ModuleDatabase.RoleOf(module.Module)} -c search_path={schema}",
            Pooling = false,
        };
        await RefuseEditedAsync(owned.ConnectionString, schema, scripts, cancel);
        var upgrade = DeployChanges.To.PostgresqlDatabase(owned.ConnectionString)
            .WithScripts(scripts.Select(script => Fill(script, variables)))
            .WithVariablesDisabled()
            .JournalTo((connections, _) => new HashingJournal(connections, schema, scripts.ToDictionary(
                script => script.Name, Digest)))
            .WithTransactionPerScript()
            .LogToNowhere()
            .Build();
        var result = upgrade.PerformUpgrade();
        if (!result.Successful)
        {
            throw new MigrationException(
                $"Migration {result.ErrorScript?.Name ?? folder} of {schema} failed: {result.Error.Message}",
                result.Error);
        }

        return result.Scripts.Count();
    }

    private static SqlScript[] Scripts(MigrationSet module, string folder)
    {
        var prefix = $"Migrations/{folder}/";
        return [.. module.Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var text = new StreamReader(module.Assembly.GetManifestResourceStream(name)!);
                return new SqlScript(name[prefix.Length..], text.ReadToEnd());
            })];
    }

    // By ourselves: DbUp leaves "$schema$." out, and what a function does not qualify it looks for where its caller is.
    private static SqlScript Fill(SqlScript script, Dictionary<string, string> variables)
    {
        var text = new StringBuilder(script.Contents);
        foreach (var (name, value) in variables) text.Replace($"${name}$", value);
        return new(script.Name, text.ToString());
    }

    private static async Task CreateSchemaAsync(
        string connectionString, string role, string schema, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        // Roles belong to the whole server, where other installations may be creating the same one at this moment.
        await using var command = source.CreateCommand($"""
            DO $do$ BEGIN
                CREATE ROLE {role} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $do$;
            DO $do$ BEGIN
                IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN GRANT {role} TO CURRENT_USER; END IF;
            END $do$;
            CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {role};
            """);
        await command.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>An applied migration is history: two installations must never differ under the same number.</summary>
    private static async Task RefuseEditedAsync(
        string connectionString, string schema, SqlScript[] scripts, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var exists = source.CreateCommand("SELECT to_regclass($1) IS NOT NULL");
        exists.Parameters.Add(new() { Value = $"{schema}.migrations" });
        if (await exists.ExecuteScalarAsync(cancel) is not true) return;

        await using var query = source.CreateCommand($"SELECT name, digest FROM {schema}.migrations");
        await using var applied = await query.ExecuteReaderAsync(cancel);
        while (await applied.ReadAsync(cancel))
        {
            var script = scripts.FirstOrDefault(script => script.Name == applied.GetString(0));
            if (script is not null && !Digest(script).AsSpan().SequenceEqual(applied.GetFieldValue<byte[]>(1)))
                throw new MigrationException($"Migration {script.Name} of {schema} was edited after it was applied.");
        }
    }

    private static byte[] Digest(SqlScript script) => SHA256.HashData(Encoding.UTF8.GetBytes(script.Contents));

    /// <summary>Remembers each applied script with its digest.</summary>
    /// <param name="connections">Those of the upgrade.</param>
    /// <param name="schema">Where the journal is.</param>
    /// <param name="digests">By script, before its variables were filled in.</param>
    private sealed class HashingJournal(
        Func<IConnectionManager> connections, string schema, Dictionary<string, byte[]> digests) : IJournal
    {
        public string[] GetExecutedScripts() => connections().ExecuteCommandsWithManagedConnection(command =>
        {
            EnsureTable(command);
            using var query = command();
            query.CommandText = $"SELECT name FROM {schema}.migrations ORDER BY name";
            using var reader = query.ExecuteReader();
            var names = new List<string>();
            while (reader.Read()) names.Add(reader.GetString(0));
            return names.ToArray();
        });

        public void StoreExecutedScript(SqlScript script, Func<System.Data.IDbCommand> dbCommandFactory)
        {
            using var insert = dbCommandFactory();
            insert.CommandText = $"INSERT INTO {schema}.migrations (name, digest) VALUES ($1, $2)";
            insert.Parameters.Add(new NpgsqlParameter { Value = script.Name });
            insert.Parameters.Add(new NpgsqlParameter { Value = digests[script.Name] });
            insert.ExecuteNonQuery();
        }

        public void EnsureTableExistsAndIsLatestVersion(Func<System.Data.IDbCommand> dbCommandFactory) =>
            EnsureTable(dbCommandFactory);

        private void EnsureTable(Func<System.Data.IDbCommand> command)
        {
            using var create = command();
            create.CommandText = $"""
                CREATE TABLE IF NOT EXISTS {schema}.migrations (
                    name text PRIMARY KEY,
                    digest bytea NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now())
                """;
            create.ExecuteNonQuery();
        }
    }
}

/// <summary>A migration that could not be applied.</summary>
public sealed class MigrationException(string message, Exception? inner = null) : Exception(message, inner);
