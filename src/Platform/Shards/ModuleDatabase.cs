using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Platform;

/// <summary>
/// One module's way to its own tables: connections on which its PostgreSQL role is set, in the control database and in
/// every shard. Each module derives its own, so that none is handed another's. Safe for use by many threads.
/// </summary>
public abstract class ModuleDatabase : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, NpgsqlDataSource> _sources = new();
    private readonly ShardMap _map;
    private readonly ModuleShard[] _shards;
    private readonly string _module;
    private readonly DatabaseOptions _options;

    /// <param name="module">The module's name in lower case: its schema's, and the end of its role's.</param>
    /// <param name="map">Where the shards lie.</param>
    /// <param name="options">The control database.</param>
    protected ModuleDatabase(string module, ShardMap map, IOptions<DatabaseOptions> options)
    {
        (_module, _map, _options) = (module, map, options.Value);
        Control = Source(_options.ConnectionString);
        _shards = new ModuleShard[map.Shards.Max(shard => shard.Number) + 1];
        foreach (var shard in map.Shards)
            _shards[shard.Number] = new(shard, SchemaOf(module, shard.Number), Source(shard.ConnectionString));
    }

    /// <summary>The control database; this module's schema there has the module's name.</summary>
    public NpgsqlDataSource Control { get; }

    /// <summary>The module's schema in the control database.</summary>
    public string ControlSchema => _module;

    /// <summary>All shards, by number.</summary>
    public IEnumerable<ModuleShard> Shards => _map.Shards.Select(shard => _shards[shard.Number]);

    /// <returns>The shard that holds a partition of <c>votes</c>.</returns>
    public ModuleShard OfPartition(int partition) => _shards[_map.OfPartition(partition).Number];

    /// <returns>The shard that holds a bucket.</returns>
    public ModuleShard OfBucket(int bucket) => _shards[_map.OfBucket(bucket).Number];

    /// <returns><c>voting_07</c>.</returns>
    public static string SchemaOf(string module, int shard) => $"{module}_{shard:00}";

    /// <returns>The PostgreSQL role of a module: it owns the module's schemas and may touch no other.</returns>
    public static string RoleOf(string module) => $"voting_module_{module}";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var source in _sources.Values) await source.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private NpgsqlDataSource Source(string connectionString) => _sources.GetOrAdd(connectionString, given =>
    {
        var connection = new NpgsqlConnectionStringBuilder(given)
        {
            ApplicationName = $"voting {_module}",
            MaxPoolSize = _options.PoolSizeMax,
            MaxAutoPrepare = 200,
            AutoPrepareMinUsages = 2,
            // A peer that vanished without a word is noticed in 5 + 3 × 5 s, not in hours.
            TcpKeepAlive = true,
            TcpKeepAliveTime = 5,
            TcpKeepAliveInterval = 5,
            // Session defaults, so returning a connection to the pool cannot shed them. The server looks after us as we
            // look after it: a transaction whose process hangs or is gone would keep its rows locked.
            Options = $"-c role={RoleOf(_module)}"
                + $" -c idle_in_transaction_session_timeout={(long)_options.SilenceMax.TotalMilliseconds}"
                + " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
        };
        return new NpgsqlDataSourceBuilder(connection.ConnectionString).Build();
    });
}

/// <summary>One shard as one module sees it.</summary>
/// <param name="Entry">Its place in the map.</param>
/// <param name="Schema">The module's schema in it. Safe to put into SQL.</param>
/// <param name="Source">Connections to it, with the module's role set.</param>
public sealed record ModuleShard(ShardEntry Entry, string Schema, NpgsqlDataSource Source);
