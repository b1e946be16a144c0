using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Every survey that has been published, in memory, as the control database had it a moment ago. Safe for use by many
/// threads.
/// </summary>
/// <remarks>
/// A reading asks for the revisions that it has not seen. Revisions become visible in their order, so what a successful
/// reading does not name stands as it stood: each one renews what is known of all surveys. A database that fails renews
/// nothing, and ends nothing; leases run out by themselves.
/// </remarks>
internal sealed partial class SurveyDirectory(
    VotingDatabase database, MasterKey masterKey, IOptions<SurveyDirectoryOptions> options, TimeProvider clock,
    ILogger<SurveyDirectory> logger)
    : BackgroundService, ISurveyReadings
{
    private volatile SurveyCatalog? _catalog;
    private volatile TaskCompletionSource _read = NewSignal();
    private volatile TaskCompletionSource _changed = NewSignal();
    private volatile TaskCompletionSource _wanted = NewSignal();

    /// <summary>Whether the surveys have been read at all.</summary>
    public bool IsReady => _catalog is not null;

    /// <summary>Grows with every change of a survey that this process has seen; 0 before the first reading.</summary>
    public long Revision => _catalog?.Revision ?? 0;

    /// <summary>Surveys that take ballots, the newest first.</summary>
    public IReadOnlyList<Survey> Open => _catalog?.Open ?? [];

    /// <summary>Every survey that was ever published, in no order.</summary>
    public IReadOnlyCollection<Survey> All => _catalog?.All ?? [];

    /// <returns>
    /// The survey, or null when none of that id has been published. The same instance until it changes.
    /// </returns>
    public Survey? Find(int id) => _catalog?.Find(id)?.Survey;

    /// <returns>What the public is answered, or null when none of that id has been published.</returns>
    public Rendered? Rendered(int id) => _catalog?.Find(id)?.Rendered;

    /// <summary>What a lease runs from.</summary>
    /// <returns>
    /// The <see cref="TimeProvider.GetTimestamp"/> of just before the last successful reading in which the survey was
    /// published was sent; null when this process has never seen it so.
    /// </returns>
    public long? PublishedReadStartedAt(int id) => _catalog?.PublishedReadStartedAt(id);

    /// <summary>Waits for a successful reading that was begun at or after a moment, and asks for one at once.</summary>
    /// <param name="timestamp">Of this process's <see cref="TimeProvider"/>.</param>
    /// <param name="cancel">Ends the wait; without it the wait is as long as the database's outage.</param>
    public async Task ReadAfterAsync(long timestamp, CancellationToken cancel)
    {
        while (true)
        {
            // Taken before the look: a reading that succeeds in between completes it.
            var read = _read.Task;
            if (_catalog is { } catalog && catalog.ReadStartedAt >= timestamp) return;
            _wanted.TrySetResult();
            await read.WaitAsync(cancel);
        }
    }

    /// <summary>Waits until this process has seen a change that came after a revision.</summary>
    /// <param name="revision">The <see cref="Revision"/> that the caller has dealt with; 0 for none.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The revision to deal with now.</returns>
    public async Task<long> ChangedSinceAsync(long revision, CancellationToken cancel)
    {
        while (true)
        {
            var changed = _changed.Task;
            if (Revision != revision) return Revision;
            await changed.WaitAsync(cancel);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            // Before the reading begins, so that a wish for a reading during it gets one of its own.
            var wanted = _wanted = NewSignal();
            var succeeded = await TryReadAsync(stoppingToken);
            var pause = Task.Delay(options.Value.PollInterval, clock, stoppingToken);
            // After a failure wishes wait too: a database in trouble is not asked faster.
            await (succeeded ? Task.WhenAny(pause, wanted.Task) : pause);
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    /// <returns>Whether the database answered.</returns>
    private async Task<bool> TryReadAsync(CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(options.Value.ReadTimeout, clock);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        try
        {
            await ReadAsync(cancel.Token);
            return true;
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            TimedOut(logger, options.Value.ReadTimeout);
        }
        catch (Exception e) when (IsOfTheWorld(e))
        {
            Failed(logger, e);
        }

        // Whatever became of the database meanwhile (another primary, a backup put back): look at everything once.
        if (_catalog is { } known) _catalog = known.WithEverythingToRead();
        return false;
    }

    private async Task ReadAsync(CancellationToken cancel)
    {
        var known = _catalog ?? SurveyCatalog.Empty;
        var startedAt = clock.GetTimestamp();
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        var (revision, rows) = await ChangesAsync(connection, known.ReadFrom, cancel);
        if (revision < known.ReadFrom)
        {
            // The database is older than what was read from it: a backup was put back.
            WentBack(logger, known.ReadFrom, revision);
            (revision, rows) = await ChangesAsync(connection, 0, cancel);
            known = known.WithEverythingToRead();
        }

        var unknown = rows.Where(row => Known(known, row) is null).Select(row => row.Id).ToArray();
        // Fixed at publication: what is in memory need not be read again.
        var questions = unknown.Length == 0
            ? []
            : await SurveyRows.QuestionsAsync(connection, transaction: null, unknown, cancel);
        var changed = rows.Where(row => Known(known, row)?.Description.Revision != row.Revision)
            .Select(row => Survey(row, Known(known, row), questions)).ToArray();
        var seen = known.ReadFrom == 0 ? rows.Select(row => row.Id).ToHashSet() : null;
        Publish(known.With(changed, seen, revision, startedAt));
    }

    /// <returns>
    /// What is in memory of the row's survey: the one that was published at the same moment, or null.
    /// </returns>
    private static Survey? Known(SurveyCatalog catalog, SurveyRow row) =>
        catalog.Find(row.Id)?.Survey is { } survey && survey.Description.StartDate == row.StartDate ? survey : null;

    private Survey Survey(SurveyRow row, Survey? known, Dictionary<int, PublicQuestion[]> questions)
    {
        var secret = row.WrappedSecret is not { } wrapped ? MacKey.None
            : known?.Secret is { IsEmpty: false } same ? same
            : new MacKey(masterKey.Unwrap(wrapped, SurveySecret.Purpose(row.Id)));
        return row.With(known?.Description.Questions ?? questions[row.Id], secret);
    }

    private void Publish(SurveyCatalog catalog)
    {
        var before = _catalog;
        _catalog = catalog;
        var (read, changed) = (_read, _changed);
        _read = NewSignal();
        read.TrySetResult();
        if (before?.Revision == catalog.Revision) return;
        _changed = NewSignal();
        changed.TrySetResult();
    }

    /// <summary>One statement, so that the revision and the surveys are of one moment.</summary>
    private static async Task<(long Revision, List<SurveyRow> Rows)> ChangesAsync(
        NpgsqlConnection connection, long after, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            SELECT r.value, {SurveyRows.Columns}
            FROM voting.survey_revision r LEFT JOIN voting.surveys s ON s.revision > $1 AND s.status <> 'draft'
            """, connection);
        query.Parameters.Add(new() { Value = after });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var (revision, changed) = (0L, new List<SurveyRow>());
        while (await rows.ReadAsync(cancel))
        {
            revision = rows.GetInt64(0);
            if (!rows.IsDBNull(1)) changed.Add(SurveyRows.Read(rows, 1));
        }

        return (revision, changed);
    }

    /// <returns>
    /// False for what we got wrong ourselves: SQL that PostgreSQL does not understand or does not allow.
    /// </returns>
    private static bool IsOfTheWorld(Exception failure) =>
        failure is NpgsqlException or IOException or TimeoutException
        && failure is not PostgresException { SqlState: ['4', '2', ..] or ['2', '2', ..] };

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(LogLevel.Warning, "The surveys could not be read; leases run on from the last reading")]
    private static partial void Failed(ILogger logger, Exception failure);

    [LoggerMessage(LogLevel.Warning, "The surveys were not read within {Timeout}; leases run on from the last reading")]
    private static partial void TimedOut(ILogger logger, TimeSpan timeout);

    [LoggerMessage(LogLevel.Error, "The control database went back from {Known} to {Revision}; all is read again")]
    private static partial void WentBack(ILogger logger, long known, long revision);
}
