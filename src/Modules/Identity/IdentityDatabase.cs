using Microsoft.Extensions.Options;
using Npgsql;
using Platform;

namespace Identity;

/// <summary>Voters, logins and sessions, by shard.</summary>
internal sealed class IdentityDatabase(ShardMap map, IOptions<DatabaseOptions> options)
    : ModuleDatabase("identity", map, options);

/// <summary>Small things that every statement here needs.</summary>
internal static class Sql
{
    /// <summary>A statement on a shard; <c>$schema$</c> in it stands for the module's schema there.</summary>
    /// <param name="parameters"><c>$1</c> and on. Null stands for an SQL null.</param>
    public static NpgsqlCommand Command(this ModuleShard shard, string sql, params object?[] parameters)
    {
        var command = shard.Source.CreateCommand(sql.Replace("$schema$", shard.Schema, StringComparison.Ordinal));
        foreach (var parameter in parameters)
            command.Parameters.Add(parameter is string or null
                ? new NpgsqlParameter<string?> { TypedValue = (string?)parameter }
                : new NpgsqlParameter { Value = parameter });
        return command;
    }
}

/// <summary>The shard's partitions have moved since this process started: it writes nothing there any more.</summary>
/// <remarks>Nothing was written. A request that meets it can be sent again, to a process with the new map.</remarks>
internal sealed class StaleShardMapException(ModuleShard shard)
    : TimeoutException($"Shard {shard.Entry.Number} is not at epoch {shard.Entry.Epoch} any more.");
