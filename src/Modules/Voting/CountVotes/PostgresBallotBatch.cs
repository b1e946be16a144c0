using System.Globalization;
using Npgsql;
using NpgsqlTypes;
using Voting.Contracts;

namespace Voting;

/// <summary>One transaction of counting.</summary>
internal sealed class PostgresBallotBatch(
    NpgsqlConnection connection, NpgsqlTransaction transaction, string schema, int partition, CopyBallots copy)
    : IBallotBatch
{
    private const int OptionLengthMax = 11;

    public async Task<IReadOnlyDictionary<long, long?>> SettleAsync(
        IReadOnlyList<(long Poison, long Replay)> replays, DateTimeOffset decidedAt)
    {
        await using var settle = new NpgsqlCommand($"""
            UPDATE {schema}.poison SET resolved_at = $2, replayed_as = replay.first
            FROM (SELECT "offset", min(own) AS first FROM unnest($3, $4) AS replay ("offset", own) GROUP BY 1) AS replay
            WHERE partition = $1 AND poison."offset" = replay."offset" AND resolved_at IS NULL
            """, connection, transaction);
        settle.Parameters.Add(new() { Value = partition });
        settle.Parameters.Add(new() { Value = decidedAt });
        settle.Parameters.Add(new() { Value = replays.Select(replay => replay.Poison).ToArray() });
        settle.Parameters.Add(new() { Value = replays.Select(replay => replay.Replay).ToArray() });
        await settle.ExecuteNonQueryAsync();

        await using var query = new NpgsqlCommand(
            $"""SELECT "offset", replayed_as FROM {schema}.poison WHERE partition = $1 AND "offset" = ANY ($2)""",
            connection, transaction);
        query.Parameters.Add(new() { Value = partition });
        query.Parameters.Add(new() { Value = replays.Select(replay => replay.Poison).ToArray() });
        var settled = new Dictionary<long, long?>();
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync()) settled[rows.GetInt64(0)] = rows.IsDBNull(1) ? null : rows.GetInt64(1);
        return settled;
    }

    public async Task<bool[]> InsertAsync(IReadOnlyList<CountedBallot> ballots)
    {
        // Sorted by key, so that index pages are met in order, then by offset, so that of
        // two the earlier one is stored.
        var sorted = ballots.ToArray();
        Array.Sort(sorted, Compare);
        var stored = new bool[ballots.Count];
        if (ballots.Count == 0) return stored;
        if (await copy.TryAsync(connection, transaction, schema, partition, sorted))
        {
            Array.Fill(stored, true);
            return stored;
        }

        await using var insert = new NpgsqlCommand($"""
            INSERT INTO {schema}.ballots (survey, voter_key, vote_id, partition, "offset", accepted_at, decided_at,
                options, texts, entry, receipt, idempotency)
            SELECT survey, voter_key, vote_id, $1, "offset", accepted_at, $2, options::integer[], texts::jsonb,
                entry, receipt, idempotency
            FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                AS ballot (
                    survey, voter_key, vote_id, "offset", accepted_at, options, texts, entry, receipt, idempotency)
            ON CONFLICT (survey, voter_key) DO NOTHING
            RETURNING "offset"
            """, connection, transaction);
        insert.Parameters.Add(new() { Value = partition });
        insert.Parameters.Add(new() { Value = ballots[0].DecidedAt, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        Column(NpgsqlDbType.Integer, ballot => ballot.Vote.Survey);
        Column(NpgsqlDbType.Bytea, ballot => ballot.Vote.VoterKey.ToBytes());
        Column(NpgsqlDbType.Bytea, ballot => ballot.Vote.VoteId.ToBytes());
        Column(NpgsqlDbType.Bigint, ballot => ballot.Offset);
        Column(NpgsqlDbType.TimestampTz, ballot => ballot.Vote.AcceptedAt);
        Column(NpgsqlDbType.Text, Options);
        Column(NpgsqlDbType.Text, BallotTexts.Of);
        Column(NpgsqlDbType.Bytea, ballot => ballot.Entry);
        Column(NpgsqlDbType.Bytea, ballot => ballot.Receipt);
        Column(NpgsqlDbType.Bytea, ballot => ballot.Idempotency);

        var offsets = new HashSet<long>(ballots.Count);
        await using (var rows = await insert.ExecuteReaderAsync())
        {
            while (await rows.ReadAsync()) offsets.Add(rows.GetInt64(0));
        }

        for (var i = 0; i < stored.Length; i++) stored[i] = offsets.Contains(ballots[i].Offset);
        return stored;

        void Column<T>(NpgsqlDbType type, Func<CountedBallot, T> value) => insert.Parameters.Add(new()
        {
            Value = Array.ConvertAll(sorted, ballot => value(ballot)),
            NpgsqlDbType = NpgsqlDbType.Array | type,
        });
    }

    public async Task<IReadOnlyDictionary<(int Survey, Key16 VoterKey), (Key16 VoteId, long Offset)>> FindAsync(
        IReadOnlyCollection<(int Survey, Key16 VoterKey)> voters)
    {
        var found = new Dictionary<(int, Key16), (Key16, long)>(voters.Count);
        if (voters.Count == 0) return found;

        await using var query = new NpgsqlCommand($"""
            SELECT survey, voter_key, vote_id, "offset" FROM {schema}.ballots
            JOIN unnest($1, $2) AS voter (survey, voter_key) USING (survey, voter_key)
            """, connection, transaction);
        query.Parameters.Add(new() { Value = voters.Select(voter => voter.Survey).ToArray() });
        query.Parameters.Add(new() { Value = voters.Select(voter => voter.VoterKey.ToBytes()).ToArray() });
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            var voter = (rows.GetInt32(0), Key16.Of(rows.GetFieldValue<byte[]>(1)));
            found[voter] = (Key16.Of(rows.GetFieldValue<byte[]>(2)), rows.GetInt64(3));
        }

        return found;
    }

    public async Task CompleteAsync(BatchRest rest)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var vote in rest.Refused) AddRefused(batch, vote);
        foreach (var record in rest.Poison)
        {
            Add(batch, $"""
                INSERT INTO {schema}.poison (partition, "offset", bytes, reason, seen_at) VALUES ($1, $2, $3, $4, $5)
                """, partition, record.Offset, record.Bytes.ToArray(), record.Reason, rest.DecidedAt);
        }

        foreach (var (survey, offset) in rest.Fences)
            Add(batch, $"INSERT INTO {schema}.fences VALUES ($1, $2, $3)", survey, partition, offset);
        if (rest.Tallies.Count > 0) AddTallies(batch, rest.Tallies);
        if (batch.BatchCommands.Count > 0) await batch.ExecuteNonQueryAsync();
        string? warning = null;
        connection.Notice += Listen;
        await transaction.CommitAsync();
        connection.Notice -= Listen;
        if (warning is not null)
            throw new InvalidOperationException($"The commit is not as safe as promised: {warning}");

        // A standby that no longer confirms is told by a warning on a commit that succeeds.
        void Listen(object sender, NpgsqlNoticeEventArgs e)
        {
            if (e.Notice.InvariantSeverity is "WARNING") warning = e.Notice.MessageText;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }

    private void AddRefused(NpgsqlBatch batch, RefusedVote vote) => Add(batch, $"""
        INSERT INTO {schema}.refused
            (partition, "offset", kind, reason, survey, voter_key, vote_id, accepted_at, decided_at, entry, receipt)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """, partition, vote.Ballot.Offset, (short)vote.Kind, vote.Reason, vote.Ballot.Vote.Survey,
        vote.Ballot.Vote.VoterKey.ToBytes(), vote.Ballot.Vote.VoteId.ToBytes(), vote.Ballot.Vote.AcceptedAt,
        vote.Ballot.DecidedAt, vote.Ballot.Entry, vote.Ballot.Receipt.ToArray());

    // All by one statement: with many surveys open each batch of votes changes the tallies of them all.
    private void AddTallies(NpgsqlBatch batch, IReadOnlyList<PartitionTally> tallies) => Add(batch, $"""
        INSERT INTO {schema}.tallies (survey, partition, version, ballots, options, votes)
        SELECT survey, $1, version, ballots, options::integer[], votes::bigint[]
        FROM unnest($2, $3, $4, $5, $6) AS tally (survey, version, ballots, options, votes)
        ON CONFLICT (survey, partition) DO UPDATE SET
            version = excluded.version, ballots = excluded.ballots,
            options = excluded.options, votes = excluded.votes
        """, partition,
        tallies.Select(tally => tally.Survey).ToArray(), tallies.Select(tally => tally.Version).ToArray(),
        tallies.Select(tally => tally.Ballots).ToArray(), tallies.Select(tally => ArrayText(tally.Options)).ToArray(),
        tallies.Select(tally => ArrayText(tally.Votes)).ToArray());

    private static string ArrayText<T>(IReadOnlyList<T> values) =>
        string.Create(CultureInfo.InvariantCulture, $"{{{string.Join(',', values)}}}");

    private static void Add(NpgsqlBatch batch, string sql, params object?[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            var parameter = new NpgsqlParameter { Value = value ?? DBNull.Value };
            if (value is null) parameter.NpgsqlDbType = NpgsqlDbType.Text;
            command.Parameters.Add(parameter);
        }

        batch.BatchCommands.Add(command);
    }

    private static int Compare(CountedBallot a, CountedBallot b) => (a.Vote.Survey, a.Vote.VoterKey, a.Offset)
        .CompareTo((b.Vote.Survey, b.Vote.VoterKey, b.Offset));

    // unnest takes one dimension only, so a list in a list travels as PostgreSQL writes an array.
    private static string Options(CountedBallot ballot)
    {
        var count = 0;
        foreach (var answer in ballot.Vote.Answers) count += answer.Options.Length;
        var length = 1;
        var sizeMax = 2 + count * (OptionLengthMax + 1);
        var text = sizeMax <= 512 ? stackalloc char[sizeMax] : new char[sizeMax];
        text[0] = '{';
        foreach (var answer in ballot.Vote.Answers)
        {
            foreach (var option in answer.Options)
            {
                if (length > 1) text[length++] = ',';
                option.TryFormat(text[length..], out var written, provider: CultureInfo.InvariantCulture);
                length += written;
            }
        }

        text[length++] = '}';
        return new(text[..length]);
    }
}
