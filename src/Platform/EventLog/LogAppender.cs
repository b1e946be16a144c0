using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Platform;

/// <summary>
/// The one writer of a process. Takes what waits, for all partitions at once, and commits it as one statement; what
/// comes meanwhile waits for the next, so that the more there is to do, the more share one commit.
/// </summary>
/// <remarks>
/// What a failure says: an error that the server reports of the statement undid all of it. If the connection breaks or
/// the server is silent, nobody knows. Then the next connection writes nothing before the last one's session has ended
/// at the server: an append of unknown outcome cannot come to stand behind a later one.
/// </remarks>
internal sealed partial class LogAppender(
    LogConnections connections, AppendQueue queue, LogEnds ends, LogNotifier notifier, LogTopics topics,
    PostgresLogOptions options, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromMilliseconds(250);

    // Held by the session that may append for this process.
    private readonly long _lockKey = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
    private readonly AppendCommit _commit = new(options);
    private bool _isDoubtful;

    /// <summary>Appends until told to stop, then what still waits; whatever is called later is refused.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        NpgsqlConnection? connection = null;
        try
        {
            while (true)
            {
                connection ??= await ConnectAsync(stop);
                if (stop.IsCancellationRequested) queue.Close();
                if (connection is not null) queue.TakeInto(_commit);
                if (connection is not null && !_commit.IsEmpty) connection = await CommitAsync(connection);
                else if (stop.IsCancellationRequested) return;
                else if (connection is not null) await queue.WaitAsync(stop);
            }
        }
        finally
        {
            queue.Close();
            queue.FailAll("The log has stopped.", null);
            if (connection is not null) await connection.DisposeAsync();
        }
    }

    /// <returns>The connection; null if another try is due.</returns>
    private async Task<NpgsqlConnection?> ConnectAsync(CancellationToken stop)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = await connections.Dedicated.OpenConnectionAsync(CancellationToken.None);
            connection.Notice += (_, said) => _isDoubtful |= said.Notice.InvariantSeverity == "WARNING";
            await TakeOverAsync(connection);
            await topics.VerifyAsync(connection, CancellationToken.None);
            return connection;
        }
        catch (Exception e)
        {
            if (connection is not null) await connection.DisposeAsync();
            if (!LogConnections.IsOutage(e)) throw;
            AppenderCannotConnect(logger, e);
            queue.FailAll("The log's database cannot be reached.", e);
            await Task.Delay(ReconnectDelay, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return null;
        }
    }

    /// <summary>Waits until no earlier session of this process can append any more; ends it if it still runs.</summary>
    private async Task TakeOverAsync(NpgsqlConnection connection)
    {
        // The session belongs to the login, not to the role that owns the tables, and only the login may end it.
        await using var takeOver = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new("SET ROLE NONE"),
                new("""
                    SELECT pg_terminate_backend(pid)
                      FROM pg_locks
                     WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                       AND (classid::bigint << 32) | objid::bigint = $1
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """) { Parameters = { new() { Value = _lockKey } } },
                new("RESET ROLE"),
                new("SELECT pg_advisory_lock($1)") { Parameters = { new() { Value = _lockKey } } },
            },
        };
        await takeOver.ExecuteNonQueryAsync(CancellationToken.None);
    }

    /// <returns>The connection; null if it is of no more use.</returns>
    private async Task<NpgsqlConnection?> CommitAsync(NpgsqlConnection connection)
    {
        _isDoubtful = false;
        try
        {
            // Never cancelled: that would leave it unknown what became of the records.
            await _commit.SendAsync(connection, CancellationToken.None);
            // The server warns when it stopped waiting for a standby: the commit stands here, and would be lost with
            // us.
            if (_isDoubtful) _commit.Fail(AppendFailure.Unknown, "The commit was not confirmed by a standby.", null);
            else _commit.Confirm(ends);
            notifier.Notify();
            return connection;
        }
        catch (PostgresException e) when (e.InvariantSeverity == "ERROR")
        {
            AppendRefused(logger, e, _commit.Count);
            _commit.Fail(AppendFailure.NotPersisted, "The log's database refused the records.", e);
            return connection;
        }
        catch (Exception e)
        {
            _commit.Fail(AppendFailure.Unknown, "The log's database did not confirm the records.", e);
            await connection.DisposeAsync();
            if (!LogConnections.IsOutage(e)) throw;
            AppendUnconfirmed(logger, e, _commit.Count);
            return null;
        }
        finally
        {
            _commit.Clear();
        }
    }

    [LoggerMessage(LogLevel.Error, "The log's database cannot be reached; appends are refused until it can")]
    private static partial void AppenderCannotConnect(ILogger logger, Exception e);

    [LoggerMessage(LogLevel.Error, "The log's database refused {Count} records")]
    private static partial void AppendRefused(ILogger logger, Exception e, int count);

    [LoggerMessage(LogLevel.Error, "The log's database did not confirm {Count} records")]
    private static partial void AppendUnconfirmed(ILogger logger, Exception e, int count);
}
