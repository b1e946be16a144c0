using System.Globalization;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;

namespace Voting;

/// <summary>What the rows of a partition give for a survey, and whether the stored tally says the same.</summary>
/// <param name="StoredVersion">0 where no tally is stored.</param>
internal sealed record RecountedTally(
    int Survey, long Ballots, int[] Options, long[] Votes, long StoredVersion, bool Differs);

/// <summary>A signed result's figures.</summary>
internal sealed record SignedFigures(long Ballots, IReadOnlyDictionary<int, long> Votes)
{
    /// <returns>Whether the partitions' recounts add up to this.</returns>
    public bool Is(IEnumerable<RecountedTally> parts)
    {
        var (ballots, votes) = (0L, new Dictionary<int, long>());
        foreach (var part in parts)
        {
            ballots += part.Ballots;
            for (var i = 0; i < part.Options.Length; i++)
                votes[part.Options[i]] = votes.GetValueOrDefault(part.Options[i]) + part.Votes[i];
        }

        // A signed result names the options that nobody chose, too.
        return ballots == Ballots && votes.Keys.Union(Votes.Keys)
            .All(option => votes.GetValueOrDefault(option) == Votes.GetValueOrDefault(option));
    }
}

/// <summary>Counts rows, and shares nothing with what wrote them.</summary>
internal sealed class RecountRows(VotingDatabase database)
{
    // A partition of a national election has a million rows: some seconds.
    private const int RecountSecondsMax = 600;

    /// <returns>Every survey that was ever published, and its signed result if it has one.</returns>
    public async Task<Dictionary<int, SignedFigures?>> SurveysAsync(int? only, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT id, final_ballots, final_votes::text FROM voting.surveys
            WHERE status <> 'draft' AND ($1 IS NULL OR id = $1)
            """);
        query.Parameters.Add(Optional(only));
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var surveys = new Dictionary<int, SignedFigures?>();
        while (await rows.ReadAsync(cancel))
            surveys[rows.GetInt32(0)] = rows.IsDBNull(1) ? null : new(rows.GetInt64(1), Votes(rows.GetString(2)));
        return surveys;
    }

    /// <returns>Every survey that has rows or a tally in the partition.</returns>
    public static async Task<List<RecountedTally>> CountAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string schema, int partition, int? only,
        CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            WITH cast_here AS (
                SELECT survey, options FROM {schema}.ballots WHERE partition = $1 AND ($2 IS NULL OR survey = $2)
            ), chosen AS (
                SELECT survey, option, count(*) AS votes FROM cast_here, unnest(options) AS option GROUP BY 1, 2
            ), by_option AS (
                SELECT survey, array_agg(option ORDER BY option) AS options, array_agg(votes ORDER BY option) AS votes
                FROM chosen GROUP BY 1
            ), recounted AS (
                SELECT survey, count(*) AS ballots, coalesce(by_option.options, '{"{}"}') AS options,
                    coalesce(by_option.votes, '{"{}"}') AS votes
                FROM cast_here LEFT JOIN by_option USING (survey) GROUP BY 1, 3, 4
            ), stored AS (
                SELECT * FROM {schema}.tallies WHERE partition = $1 AND ($2 IS NULL OR survey = $2)
            )
            SELECT survey, coalesce(recounted.ballots, 0), coalesce(recounted.options, '{"{}"}'),
                coalesce(recounted.votes, '{"{}"}'), coalesce(stored.version, 0),
                (coalesce(recounted.ballots, 0), coalesce(recounted.options, '{"{}"}'),
                    coalesce(recounted.votes, '{"{}"}'))
                IS DISTINCT FROM (coalesce(stored.ballots, 0), coalesce(stored.options, '{"{}"}'),
                    coalesce(stored.votes, '{"{}"}'))
            FROM recounted FULL JOIN stored USING (survey)
            """, connection, transaction) { CommandTimeout = RecountSecondsMax };
        query.Parameters.Add(new() { Value = partition });
        query.Parameters.Add(Optional(only));
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var tallies = new List<RecountedTally>();
        while (await rows.ReadAsync(cancel))
        {
            tallies.Add(new(
                rows.GetInt32(0), rows.GetInt64(1), rows.GetFieldValue<int[]>(2), rows.GetFieldValue<long[]>(3),
                rows.GetInt64(4), rows.GetBoolean(5)));
        }

        return tallies;
    }

    private static NpgsqlParameter Optional(int? survey) =>
        new() { Value = survey is { } id ? id : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer };

    private static Dictionary<int, long> Votes(string json) =>
        JsonSerializer.Deserialize(json, FinalVotesJson.Default.DictionaryStringInt64)!
            .ToDictionary(vote => int.Parse(vote.Key, CultureInfo.InvariantCulture), vote => vote.Value);
}
