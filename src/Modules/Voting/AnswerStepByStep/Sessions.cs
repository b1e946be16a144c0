using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace Voting;

/// <summary>Whose session: one voter's in one survey.</summary>
internal readonly record struct SessionPlace(int Partition, int Survey, Key16 VoterKey);

/// <summary>An answer to be added.</summary>
/// <param name="SurveyIsOpen">Else only a remembered idempotency key is answered.</param>
/// <param name="Begins">Whether it may begin the session.</param>
/// <param name="Option">0 for words alone.</param>
/// <param name="OptionCountMax">Most options of the question.</param>
/// <param name="Text">Null leaves the words that are there; empty takes them away.</param>
/// <param name="Idempotency">What is kept of the idempotency key, or null.</param>
/// <param name="Request">What is kept of the request.</param>
internal sealed record AddedAnswer(
    SessionPlace Place, bool SurveyIsOpen, bool Begins, int Question, int Option, int OptionCountMax, string? Text,
    Key16? Idempotency, Key16 Request);

/// <summary>What became of an answer.</summary>
/// <param name="Outcome">As the function <c>choose</c> names it; null when the shard is another map's.</param>
/// <param name="Text">The words to the question after it; empty when there are none.</param>
internal readonly record struct StoredAnswer(string? Outcome, Key16 Id, string Text, DateTimeOffset InitializedAt);

/// <summary>A session as it was read, in one snapshot.</summary>
/// <param name="Revision">Changes whenever the answers do.</param>
/// <param name="Answers">By question.</param>
/// <param name="Frozen">The vote that it finished with; null while its answers may change.</param>
/// <param name="SupersededBy">The vote that was there before it, or null.</param>
internal sealed record Session(
    DateTimeOffset InitializedAt, long Revision, IReadOnlyList<Answer> Answers, Reservation? Frozen,
    Key16? SupersededBy);

/// <summary>
/// Sessions in the shards: the writes of many voters are one transaction, and each is durable before it is answered.
/// Safe for use by many threads and processes: the session's row is locked by whoever changes it.
/// </summary>
internal sealed partial class Sessions(VotingDatabase database, TimeProvider clock, ILogger<Sessions> logger)
{
    private const int BatchCountMax = 200;
    private const int WaitingCountMax = 10_000;

    private readonly ConcurrentDictionary<int, BatchedCalls<AddedAnswer, StoredAnswer>> _adding = new();
    private readonly ConcurrentDictionary<int, BatchedCalls<(SessionPlace, bool, Key16), string?>> _takingBack = new();
    private readonly ConcurrentDictionary<
        int, BatchedCalls<(SessionPlace, long, Reservation), Reservation?>> _freezing = new();
    private readonly ConcurrentDictionary<int, BatchedCalls<SessionPlace, Session?>> _reading = new();

    /// <exception cref="TooManyCallsException">Nothing was done.</exception>
    public Task<StoredAnswer> AddAsync(AddedAnswer answer)
    {
        var shard = database.OfPartition(answer.Place.Partition);
        return _adding.GetOrAdd(shard.Entry.Number, _ => new(
            answers => AddAsync(shard, answers), BatchCountMax, WaitingCountMax)).CallAsync(answer);
    }

    /// <param name="place">Whose.</param>
    /// <param name="surveyIsOpen">Else nothing is taken back.</param>
    /// <param name="answer">The answer's id.</param>
    /// <returns>What the function <c>take_back</c> says; null when the shard is another map's.</returns>
    /// <exception cref="TooManyCallsException">Nothing was done.</exception>
    public Task<string?> TakeBackAsync(SessionPlace place, bool surveyIsOpen, Key16 answer)
    {
        var shard = database.OfPartition(place.Partition);
        return _takingBack.GetOrAdd(shard.Entry.Number, _ => new(
            answers => TakeBackAsync(shard, answers), BatchCountMax, WaitingCountMax))
            .CallAsync((place, surveyIsOpen, answer));
    }

    /// <summary>Freezes a session unless it has changed since it was read, or is frozen already.</summary>
    /// <returns>What is frozen now, whoever did it; null when nothing is: read the session anew.</returns>
    /// <exception cref="TooManyCallsException">Nothing was done.</exception>
    public Task<Reservation?> FreezeAsync(SessionPlace place, long revision, Reservation vote)
    {
        var shard = database.OfPartition(place.Partition);
        return _freezing.GetOrAdd(shard.Entry.Number, _ => new(
            votes => FreezeAsync(shard, votes), BatchCountMax, WaitingCountMax)).CallAsync((place, revision, vote));
    }

    /// <returns>The session, or null when the voter has none.</returns>
    /// <exception cref="TooManyCallsException">Too many wait.</exception>
    public Task<Session?> FindAsync(SessionPlace place)
    {
        var shard = database.OfPartition(place.Partition);
        return _reading.GetOrAdd(shard.Entry.Number, _ => new(
            places => SessionRows.ReadAsync(shard, places), BatchCountMax, WaitingCountMax)).CallAsync(place);
    }

    /// <summary>Marks a finished session as one whose voter had another vote before it.</summary>
    public async Task SupersedeAsync(SessionPlace place, Key16 by)
    {
        var shard = database.OfPartition(place.Partition);
        await using var update = shard.Source.CreateCommand($"""
            UPDATE {shard.Schema}.sessions SET superseded_by = $3
            WHERE survey = $1 AND voter_key = $2 AND finished_at IS NOT NULL AND superseded_by IS NULL
                AND (SELECT epoch FROM {shard.Schema}.shard) = $4
            """);
        foreach (var value in new object[] { place.Survey, place.VoterKey.ToBytes(), by.ToBytes(), shard.Entry.Epoch })
            update.Parameters.Add(new() { Value = value });
        await update.ExecuteNonQueryAsync();
    }

    private Task<StoredAnswer[]> AddAsync(ModuleShard shard, IReadOnlyList<AddedAnswer> answers)
    {
        var now = clock.GetUtcNow();
        var batch = new SessionBatch<AddedAnswer>(answers, answer => answer.Place);
        object[] columns =
        [
            shard.Entry.Epoch, now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMillisecond)),
            batch.Surveys, batch.VoterKeys,
            batch.Column(answer => answer.SurveyIsOpen), batch.Column(answer => answer.Begins),
            batch.Column(answer => answer.Question), batch.Column(answer => answer.Option),
            batch.Column(answer => answer.OptionCountMax), batch.Column(answer => answer.Text),
            batch.Column(answer => answer.Idempotency?.ToBytes()), batch.Column(answer => answer.Request.ToBytes()),
        ];
        return WriteAsync(shard, "choose", columns, batch, rows => new StoredAnswer(
            rows.GetString(0), SessionRows.Key(rows, 1) ?? default, rows.IsDBNull(2) ? "" : rows.GetString(2),
            rows.IsDBNull(3) ? default : rows.GetFieldValue<DateTimeOffset>(3)));
    }

    private Task<string?[]> TakeBackAsync(
        ModuleShard shard, IReadOnlyList<(SessionPlace Place, bool Open, Key16 Answer)> answers)
    {
        var batch = new SessionBatch<(SessionPlace Place, bool Open, Key16 Answer)>(answers, answer => answer.Place);
        object[] columns =
        [
            shard.Entry.Epoch, batch.Surveys, batch.VoterKeys,
            batch.Column(answer => answer.Open), batch.Column(answer => answer.Answer.ToBytes()),
        ];
        return WriteAsync(shard, "take_back", columns, batch, rows => (string?)rows.GetString(0));
    }

    private Task<Reservation?[]> FreezeAsync(
        ModuleShard shard, IReadOnlyList<(SessionPlace Place, long Revision, Reservation Vote)> votes)
    {
        var batch = new SessionBatch<(SessionPlace Place, long Revision, Reservation Vote)>(votes, vote => vote.Place);
        object[] columns =
        [
            shard.Entry.Epoch, batch.Surveys, batch.VoterKeys,
            batch.Column(vote => vote.Revision), batch.Column(vote => vote.Vote.AcceptedAt),
            batch.Column(vote => vote.Vote.VoteId.ToBytes()), batch.Column(vote => vote.Vote.Entry),
            batch.Column(vote => vote.Vote.Receipt),
        ];
        var next = 0;
        return WriteAsync(shard, "freeze", columns, batch, rows => SessionRows.Frozen(
            rows, 0, votes[batch.Order[next++]].Vote));
    }

    /// <summary>Runs one of the shard's functions: one transaction, one row an item, in the batch's order.</summary>
    /// <returns>By the items' own order; defaults when the shard is another map's.</returns>
    private async Task<TResult[]> WriteAsync<TItem, TResult>(
        ModuleShard shard, string function, object[] columns, SessionBatch<TItem> batch,
        Func<NpgsqlDataReader, TResult> read)
    {
        await using var connection = await shard.Source.OpenConnectionAsync();
        var places = string.Join(", ", Enumerable.Range(1, columns.Length).Select(place => $"${place}"));
        await using var command = new NpgsqlCommand($"SELECT * FROM {shard.Schema}.{function}({places})", connection);
        foreach (var column in columns) command.Parameters.Add(new() { Value = column });

        string? warning = null;
        connection.Notice += Listen;
        var results = new TResult[batch.Order.Length];
        var count = 0;
        try
        {
            await using var rows = await command.ExecuteReaderAsync();
            while (await rows.ReadAsync()) results[batch.Order[count++]] = read(rows);
        }
        finally
        {
            connection.Notice -= Listen;
        }

        if (warning is not null) throw new NpgsqlException($"The commit is not as safe as promised: {warning}");
        if (count == 0) OtherMap(logger, shard.Schema, shard.Entry.Epoch);
        return results;

        // A standby that no longer confirms is told by a warning on a commit that succeeds.
        void Listen(object sender, NpgsqlNoticeEventArgs e)
        {
            if (e.Notice.InvariantSeverity is "WARNING") warning = e.Notice.MessageText;
        }
    }

    [LoggerMessage(
        LogLevel.Error, "{Schema} is not at epoch {Epoch}, which Shards__Map says: this process has another map")]
    private static partial void OtherMap(ILogger logger, string schema, int epoch);
}
