using System.Data;
using System.Text.Json;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>A row of <c>voting.surveys</c>.</summary>
/// <param name="WrappedSecret">Null once the secret has been destroyed.</param>
/// <param name="FinalVotes">JSON by option id; null until the result is signed.</param>
internal sealed record SurveyRow(
    int Id, string Title, SurveyStatus Status, DateTimeOffset? StartDate, DateTimeOffset? FinishDate,
    DateTimeOffset? OpensAt, DateTimeOffset? ClosesAt, ResultsVisibility ResultsVisibility, int LiveBatchMin,
    Eligibility Eligibility, byte[]? WrappedSecret, long Revision,
    string? FinalStatement, long? FinalVersion, long? FinalBallots, string? FinalVotes, DateTimeOffset? FinalAt)
{
    /// <returns>The survey as the platform works with it.</returns>
    /// <param name="questions">Its questions by order, their options by order.</param>
    /// <param name="secret">The unwrapped secret; empty where it is not needed or is no more.</param>
    public Survey With(IReadOnlyList<PublicQuestion> questions, MacKey secret) => new(
        new(Id, Title, Status, StartDate, FinishDate, ResultsVisibility, LiveBatchMin, questions, Final(questions),
            Revision),
        Eligibility, OpensAt, ClosesAt, secret);

    private FinalResult? Final(IReadOnlyList<PublicQuestion> questions)
    {
        if (FinalStatement is null) return null;
        var counted = JsonSerializer.Deserialize(FinalVotes!, SurveyJson.Default.DictionaryInt32Int64)!;
        var votes = questions.SelectMany(question => question.Options)
            .ToDictionary(option => option.Id, option => counted.GetValueOrDefault(option.Id));
        return new(FinalStatement, FinalVersion!.Value, FinalBallots!.Value, votes, FinalAt!.Value);
    }
}

/// <summary>The one place that knows how a survey's rows are read.</summary>
internal static class SurveyRows
{
    /// <summary>What <see cref="Read"/> reads, of a table named <c>s</c>.</summary>
    public const string Columns = """
        s.id, s.title, s.status, s.start_date, s.finish_date, s.opens_at, s.closes_at, s.results_visibility,
        s.live_batch_min, s.eligible_verified, s.eligible_countries, s.eligible_minimum_age, s.eligible_group,
        s.secret, s.revision, s.final_statement, s.final_version, s.final_ballots, s.final_votes, s.final_at
        """;

    /// <returns>The current row.</returns>
    /// <param name="row">Stands on a row.</param>
    /// <param name="first">Where <see cref="Columns"/> begin in it.</param>
    public static SurveyRow Read(NpgsqlDataReader row, int first)
    {
        var column = first;
        return new(
            row.GetInt32(column++), row.GetString(column++), SurveyWords.Status(row.GetString(column++)),
            Time(row, column++), Time(row, column++), Time(row, column++), Time(row, column++),
            SurveyWords.Visibility(row.GetString(column++))!.Value, row.GetInt32(column++),
            new(row.GetBoolean(column++), row.GetFieldValue<string[]>(column++),
                Value<int>(row, column++), Text(row, column++)),
            row.IsDBNull(column) ? null : row.GetFieldValue<byte[]>(column), row.GetInt64(column + 1),
            Text(row, column + 2), Value<long>(row, column + 3), Value<long>(row, column + 4),
            Text(row, column + 5), Time(row, column + 6));
    }

    /// <returns>The surveys' questions by survey, each list by order.</returns>
    /// <remarks>Two statements: for a draft, call it in a transaction that sees one state.</remarks>
    public static async Task<Dictionary<int, PublicQuestion[]>> QuestionsAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, int[] surveys, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new("""
                    SELECT o.question_id, o.id, o.text, o.image, o.sort_order
                    FROM voting.options o JOIN voting.questions q ON q.id = o.question_id
                    WHERE q.survey_id = ANY ($1) ORDER BY o.question_id, o.sort_order
                    """) { Parameters = { new() { Value = surveys } } },
                new("""
                    SELECT survey_id, id, title, min, max, sort_order, allow_text
                    FROM voting.questions WHERE survey_id = ANY ($1) ORDER BY survey_id, sort_order
                    """) { Parameters = { new() { Value = surveys } } },
            },
        };
        await using var rows = await batch.ExecuteReaderAsync(cancel);
        var options = new Dictionary<int, List<PublicOption>>();
        while (await rows.ReadAsync(cancel))
        {
            if (!options.TryGetValue(rows.GetInt32(0), out var siblings)) options[rows.GetInt32(0)] = siblings = [];
            siblings.Add(new(rows.GetInt32(1), rows.GetString(2), Text(rows, 3), rows.GetInt32(4)));
        }

        await rows.NextResultAsync(cancel);
        var questions = new List<(int Survey, PublicQuestion Question)>();
        while (await rows.ReadAsync(cancel))
        {
            questions.Add((rows.GetInt32(0), new(
                rows.GetInt32(1), rows.GetString(2), rows.GetInt32(3), rows.GetInt32(4), rows.GetInt32(5),
                rows.GetBoolean(6), options.GetValueOrDefault(rows.GetInt32(1)) ?? [])));
        }

        return questions.GroupBy(entry => entry.Survey, entry => entry.Question)
            .ToDictionary(group => group.Key, group => group.ToArray());
    }

    /// <returns>One survey, drafts included, in one state, without its secret; null when there is none.</returns>
    public static async Task<Survey?> FindAsync(VotingDatabase database, int id, CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
        return await FindAsync(transaction, id, cancel);
    }

    /// <returns>The same in a transaction that holds the survey's row, or sees one state.</returns>
    public static async Task<Survey?> FindAsync(NpgsqlTransaction transaction, int id, CancellationToken cancel)
    {
        var connection = transaction.Connection!;
        SurveyRow row;
        await using (var query = new NpgsqlCommand(
            $"SELECT {Columns} FROM voting.surveys s WHERE s.id = $1", connection, transaction))
        {
            query.Parameters.Add(new() { Value = id });
            await using var rows = await query.ExecuteReaderAsync(cancel);
            if (!await rows.ReadAsync(cancel)) return null;
            row = Read(rows, 0);
        }

        var questions = await QuestionsAsync(connection, transaction, [id], cancel);
        return row.With(questions.GetValueOrDefault(id) ?? [], MacKey.None);
    }

    private static DateTimeOffset? Time(NpgsqlDataReader row, int column) => Value<DateTimeOffset>(row, column);

    private static string? Text(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetString(column);

    private static T? Value<T>(NpgsqlDataReader row, int column)
        where T : struct => row.IsDBNull(column) ? null : row.GetFieldValue<T>(column);
}
