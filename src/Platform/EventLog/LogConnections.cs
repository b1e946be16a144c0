using Microsoft.Extensions.Options;
using Npgsql;

namespace Platform;

/// <summary>The log's ways to its tables.</summary>
internal sealed class LogConnections : IAsyncDisposable
{
    public LogConnections(IOptions<DatabaseOptions> database, IOptions<PostgresLogOptions> log)
    {
        var options = log.Value;
        var connection = new NpgsqlConnectionStringBuilder(database.Value.ConnectionString)
        {
            ApplicationName = "voting platform log",
            MaxPoolSize = database.Value.PoolSizeMax,
            MaxAutoPrepare = 50,
            AutoPrepareMinUsages = 2,
            // A peer that vanished without a word is noticed in 5 + 3 × 5 s, not in hours.
            TcpKeepAlive = true,
            TcpKeepAliveTime = 5,
            TcpKeepAliveInterval = 5,
            Options = $"-c role={ModuleDatabase.RoleOf("platform")}",
        };
        Pool = NpgsqlDataSource.Create(connection.ConnectionString);

        // statement_timeout ends before the commit begins: whatever it ends is certainly not in the log. Only when the
        // server does not answer at all does the client give up by itself, later, and then it does not know.
        connection.Options += $" -c statement_timeout={(long)options.AppendTimeout.TotalMilliseconds}"
            + " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";
        connection.CommandTimeout = (int)Math.Ceiling(options.AppendTimeout.TotalSeconds) + 5;
        connection.Pooling = false;
        Dedicated = NpgsqlDataSource.Create(connection.ConnectionString);
    }

    /// <summary>Shared: readers, groups.</summary>
    public NpgsqlDataSource Pool { get; }

    /// <summary>Each connection is new, and is kept by who opened it: appender, watch, notifier.</summary>
    public NpgsqlDataSource Dedicated { get; }

    /// <returns>True if the database is away or overburdened for now; false if it refuses what it is asked.</returns>
    public static bool IsOutage(Exception e) => e switch
    {
        // Connection lost, resources gone, server stopped or not ready, deadlock, lock timeout, read-only (failing
        // over).
        PostgresException { SqlState: "55P03" or "25006" } => true,
        PostgresException refused => refused.SqlState[..2] is "08" or "53" or "57" or "40",
        NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    public async ValueTask DisposeAsync()
    {
        await Pool.DisposeAsync();
        await Dedicated.DisposeAsync();
    }
}
