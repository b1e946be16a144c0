using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Platform;

/// <summary>
/// The process's one connection to Redis. No answer in time is an answer that callers must know what to do with, never
/// an exception; after the first one nobody waits again until the server has answered a ping. Safe for use by many
/// threads.
/// </summary>
public sealed partial class RedisLink : IAsyncDisposable
{
    // An answer that is late is of no use to anybody; the library's own limit only clears its books.
    private const int LibraryTimeoutMilliseconds = 1_000;
    private const int ConnectTimeoutMilliseconds = 2_000;
    private const int ReconnectMilliseconds = 200;
    private const int KeepAliveSeconds = 5;

    private static readonly TimeSpan PolicyInterval = TimeSpan.FromMinutes(1);

    private readonly RedisOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<RedisLink> _logger;
    private readonly byte[] _prefix;
    private readonly Counter<long> _unanswered;
    private readonly Counter<long> _refused;
    private ConnectionMultiplexer? _connection;
    private IDatabase? _database;
    private volatile bool _answers;
    private volatile bool _evicts;
    private volatile bool _refusalSaid;

    internal RedisLink(
        IOptions<RedisOptions> options, IMeterFactory meters, TimeProvider clock, ILogger<RedisLink> logger)
    {
        (_options, _clock, _logger) = (options.Value, clock, logger);
        _prefix = Encoding.ASCII.GetBytes(_options.KeyPrefix);
        var meter = meters.Create("Platform");
        _unanswered = meter.CreateCounter<long>(
            "redis_calls_unanswered", "{call}", "Calls without an answer in time; then nobody asks until a ping is");
        _refused = meter.CreateCounter<long>(
            "redis_calls_refused", "{call}", "Calls that Redis answered with an error, such as that it is full");
        if (!IsConfigured) return;
        meter.CreateObservableGauge(
            "redis_answers", () => _answers ? 1 : 0, null, "1 while Redis is asked, 0 while the process decides alone");
        meter.CreateObservableGauge(
            "redis_evicts", () => _evicts ? 1 : 0, null, "1 when the server may drop keys: its policy is wrong");
    }

    /// <summary>Whether the installation has a Redis at all.</summary>
    public bool IsConfigured => _options.ConnectionString.Length > 0;

    /// <summary>Whether it is asked now. False: there is none, or it has not answered since it last did not.</summary>
    public bool Answers => _answers;

    /// <returns>The installation's key of that kind and name.</returns>
    public RedisKey Key(byte kind, ReadOnlySpan<byte> name)
    {
        var key = new byte[_prefix.Length + 2 + name.Length];
        _prefix.CopyTo(key, 0);
        key[_prefix.Length] = kind;
        key[_prefix.Length + 1] = (byte)':';
        name.CopyTo(key.AsSpan(_prefix.Length + 2));
        return key;
    }

    /// <summary>Runs a script: one round trip.</summary>
    /// <returns>
    /// What it returned; null when there was no answer in time: the script may have been run, or be run later.
    /// </returns>
    public async ValueTask<RedisResult?> RunAsync(RedisScript script, RedisKey key, params RedisValue[] arguments)
    {
        if (!_answers || _database is not { } database) return null;
        try
        {
            return await database.ScriptEvaluateAsync(script.Text, [key], arguments)
                .WaitAsync(_options.CallTimeout, _clock);
        }
        catch (RedisServerException)
        {
            // It is there and says no at once (full, loading, a replica): nobody has waited for that.
            Refused();
            return null;
        }
        catch (Exception e) when (IsNoAnswer(e))
        {
            Lose(e);
            return null;
        }
    }

    /// <summary>Sets a key and waits for nothing: it may or may not be set.</summary>
    /// <remarks>Behind whatever was sent before, and before whatever is sent later.</remarks>
    public void Send(RedisKey key, RedisValue value, TimeSpan lifetime)
    {
        if (!_answers || _database is not { } database) return;
        try
        {
            database.StringSet(key, value, lifetime, flags: CommandFlags.FireAndForget);
        }
        catch (Exception e) when (IsNoAnswer(e))
        {
            Lose(e);
        }
    }

    /// <summary>Connects, asks a server that does not answer until it does, and looks at its policy.</summary>
    /// <param name="tried">Called when the first attempt is over, whatever came of it.</param>
    /// <param name="stop">Ends it.</param>
    internal async Task WatchAsync(Action tried, CancellationToken stop)
    {
        var policySeenAt = 0L;
        while (true)
        {
            if (!_answers || _clock.GetElapsedTime(policySeenAt) >= PolicyInterval)
            {
                if (await SeesServerAsync(stop)) policySeenAt = _clock.GetTimestamp();
                tried();
            }

            await Task.Delay(_options.RetryInterval, _clock, stop);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _answers = false;
        if (_connection is not null) await _connection.DisposeAsync();
    }

    private async Task<bool> SeesServerAsync(CancellationToken stop)
    {
        try
        {
            _connection ??= await ConnectAsync();
            _database = _connection.GetDatabase();
            await _database.PingAsync().WaitAsync(_options.CallTimeout, _clock, stop);
            _evicts = await EvictsAsync(_database).WaitAsync(_options.CallTimeout, _clock, stop);
        }
        catch (Exception e) when (IsNoAnswer(e) && !stop.IsCancellationRequested)
        {
            Lose(e);
            return false;
        }

        _refusalSaid = false;
        if (_evicts) MayEvict(_logger);
        if (!Interlocked.Exchange(ref _answers, true)) RedisAnswers(_logger);
        return true;
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        var configuration = ConfigurationOptions.Parse(_options.ConnectionString);
        // A server that is not there yet is one that does not answer; the library goes on trying.
        configuration.AbortOnConnectFail = false;
        // The library counts INFO among an administrator's commands.
        configuration.AllowAdmin = true;
        configuration.ConnectTimeout = ConnectTimeoutMilliseconds;
        configuration.AsyncTimeout = LibraryTimeoutMilliseconds;
        configuration.SyncTimeout = LibraryTimeoutMilliseconds;
        configuration.KeepAlive = KeepAliveSeconds;
        configuration.ReconnectRetryPolicy = new LinearRetry(ReconnectMilliseconds);
        // Nothing waits for a connection to come back: what cannot be sent now is not sent.
        configuration.BacklogPolicy = BacklogPolicy.FailFast;
        return await ConnectionMultiplexer.ConnectAsync(configuration);
    }

    // INFO, because managed servers refuse CONFIG.
    private static async Task<bool> EvictsAsync(IDatabase database)
    {
        try
        {
            var info = (string?)await database.ExecuteAsync("INFO", "memory") ?? "";
            return !info.Contains("maxmemory_policy:noeviction", StringComparison.Ordinal);
        }
        catch (RedisServerException)
        {
            // A user that may not ask cannot know.
            return false;
        }
    }

    private static bool IsNoAnswer(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException
            or OperationCanceledException;

    private void Lose(Exception e)
    {
        _unanswered.Add(1);
        // What the library says may name what was sent; its kind is enough.
        if (Interlocked.Exchange(ref _answers, false)) RedisDoesNotAnswer(_logger, e.GetType().Name);
    }

    private void Refused()
    {
        _refused.Add(1);
        if (_refusalSaid) return;
        _refusalSaid = true;
        RedisRefuses(_logger);
    }

    [LoggerMessage(LogLevel.Information, "Redis answers")]
    private static partial void RedisAnswers(ILogger logger);

    [LoggerMessage(LogLevel.Warning, "Redis refuses what this process asks of it; is it full, or a replica?")]
    private static partial void RedisRefuses(ILogger logger);

    [LoggerMessage(LogLevel.Warning, "Redis does not answer ({Reason}); this process decides alone until it does")]
    private static partial void RedisDoesNotAnswer(ILogger logger, string reason);

    [LoggerMessage(LogLevel.Warning,
        "Redis may drop keys when it is full: set its maxmemory-policy to noeviction, and maxmemory to what it needs")]
    private static partial void MayEvict(ILogger logger);
}
