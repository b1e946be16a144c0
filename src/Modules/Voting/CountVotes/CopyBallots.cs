using Npgsql;
using NpgsqlTypes;

namespace Voting;

/// <summary>
/// Stores a partition's ballots by COPY, at half of what INSERT costs. COPY takes all of a batch or nothing: where a
/// voter has a vote already, the batch is the INSERT's, which leaves such rows out. Used by one worker at a time.
/// </summary>
internal sealed class CopyBallots
{
    // Three round trips instead of one: fewer rows are not worth them.
    private const int CountMin = 32;
    private const int SkipMax = 64;

    private int _skip;
    private int _left;

    /// <param name="connection">In the transaction.</param>
    /// <param name="transaction">Goes on as if nothing had been tried when the answer is false.</param>
    /// <param name="schema">The shard's.</param>
    /// <param name="partition">Which.</param>
    /// <param name="ballots">By key, then by offset.</param>
    /// <returns>Whether all of them are stored; otherwise none is.</returns>
    public async Task<bool> TryAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string schema, int partition,
        IReadOnlyList<CountedBallot> ballots)
    {
        if (ballots.Count < CountMin || HasTwoOfAVoter(ballots)) return false;
        if (_left > 0)
        {
            _left--;
            return false;
        }

        const string before = "copy";
        await transaction.SaveAsync(before);
        try
        {
            await CopyAsync(connection, schema, partition, ballots);
            _skip = 0;
            return true;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation)
        {
            await transaction.RollbackAsync(before);
            // One such voter is seldom the last: retries that nobody recognized come in crowds.
            _left = _skip = Math.Min(SkipMax, Math.Max(1, 2 * _skip));
            return false;
        }
    }

    private static bool HasTwoOfAVoter(IReadOnlyList<CountedBallot> ballots)
    {
        for (var i = 1; i < ballots.Count; i++)
        {
            var (one, other) = (ballots[i - 1].Vote, ballots[i].Vote);
            if (one.Survey == other.Survey && one.VoterKey == other.VoterKey) return true;
        }

        return false;
    }

    private static async Task CopyAsync(
        NpgsqlConnection connection, string schema, int partition, IReadOnlyList<CountedBallot> ballots)
    {
        await using var writer = await connection.BeginBinaryImportAsync($"""
            COPY {schema}.ballots (survey, voter_key, vote_id, partition, "offset", accepted_at, decided_at, options,
                texts, entry, receipt, idempotency)
            FROM STDIN (FORMAT binary)
            """);
        // Into a buffer, which is sent whenever it is full.
        foreach (var ballot in ballots)
        {
            await writer.StartRowAsync();
            await writer.WriteAsync(ballot.Vote.Survey, NpgsqlDbType.Integer);
            await writer.WriteAsync(ballot.Vote.VoterKey.ToBytes(), NpgsqlDbType.Bytea);
            await writer.WriteAsync(ballot.Vote.VoteId.ToBytes(), NpgsqlDbType.Bytea);
            await writer.WriteAsync(partition, NpgsqlDbType.Integer);
            await writer.WriteAsync(ballot.Offset, NpgsqlDbType.Bigint);
            await writer.WriteAsync(ballot.Vote.AcceptedAt, NpgsqlDbType.TimestampTz);
            await writer.WriteAsync(ballot.DecidedAt, NpgsqlDbType.TimestampTz);
            await writer.WriteAsync(Options(ballot.Vote), NpgsqlDbType.Array | NpgsqlDbType.Integer);
            if (BallotTexts.Of(ballot) is { } texts) await writer.WriteAsync(texts, NpgsqlDbType.Jsonb);
            else await writer.WriteNullAsync();
            await writer.WriteAsync(ballot.Entry, NpgsqlDbType.Bytea);
            await writer.WriteAsync(ballot.Receipt, NpgsqlDbType.Bytea);
            if (ballot.Idempotency is { } idempotency) await writer.WriteAsync(idempotency, NpgsqlDbType.Bytea);
            else await writer.WriteNullAsync();
        }

        await writer.CompleteAsync();
    }

    private static int[] Options(VoteSubmitted vote) =>
        vote.Answers is [var only] ? only.Options : [.. vote.Answers.SelectMany(answer => answer.Options)];
}
