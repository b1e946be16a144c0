using Npgsql;
using NpgsqlTypes;
using Platform;

namespace Voting;

/// <summary>Questions and options of a draft whose row the transaction holds.</summary>
internal static class DraftRows
{
    /// <summary>Adds a fault for every id that the survey does not have where the body has it.</summary>
    public static async Task CheckIdsAsync(
        NpgsqlTransaction transaction, int survey, IReadOnlyList<QuestionBody> questions, Faults faults,
        CancellationToken cancel)
    {
        var options = new Dictionary<int, HashSet<int>>();
        await using (var query = new NpgsqlCommand("""
            SELECT q.id, o.id FROM voting.questions q JOIN voting.options o ON o.question_id = q.id
            WHERE q.survey_id = $1
            """, transaction.Connection, transaction))
        {
            query.Parameters.Add(new() { Value = survey });
            await using var rows = await query.ExecuteReaderAsync(cancel);
            while (await rows.ReadAsync(cancel))
            {
                if (!options.TryGetValue(rows.GetInt32(0), out var siblings)) options[rows.GetInt32(0)] = siblings = [];
                siblings.Add(rows.GetInt32(1));
            }
        }

        // An id is taken out once it has been named, so that a second naming is unknown.
        for (var i = 0; i < questions.Count; i++)
        {
            var (path, question, known) = ($"questions[{i}]", questions[i], (HashSet<int>?)null);
            if (question.Id is not null
                && !(JsonBody.TryParseId(question.Id, out var id) && options.Remove(id, out known)))
            {
                faults.Add($"{path}.id", "The survey has no such question, or it is named twice.");
            }

            for (var k = 0; k < question.Options.Count; k++)
            {
                if (question.Options[k].Id is { } text
                    && !(JsonBody.TryParseId(text, out var optionId) && known is not null && known.Remove(optionId)))
                {
                    faults.Add($"{path}.options[{k}].id", "The question has no such option, or it is named twice.");
                }
            }
        }
    }

    /// <summary>Makes the survey's questions and options those of the body, whose ids have been checked.</summary>
    /// <returns>The same by order, each with its id.</returns>
    public static async Task<IReadOnlyList<QuestionBody>> WriteAsync(
        NpgsqlTransaction transaction, int survey, IReadOnlyList<QuestionBody> questions, CancellationToken cancel)
    {
        var written = await WithIdsAsync(transaction, questions, cancel);
        var options = written
            .SelectMany(question => question.Options.Select(option => (Question: Id(question.Id), Option: option)))
            .ToArray();
        await using var batch = new NpgsqlBatch(transaction.Connection, transaction)
        {
            BatchCommands =
            {
                Command("DELETE FROM voting.questions WHERE survey_id = $1 AND id <> ALL ($2)",
                    survey, written.Select(question => Id(question.Id)).ToArray()),
                Command("""
                    DELETE FROM voting.options o USING voting.questions q
                    WHERE q.id = o.question_id AND q.survey_id = $1 AND o.id <> ALL ($2)
                    """, survey, options.Select(option => Id(option.Option.Id)).ToArray()),
                Command("""
                    INSERT INTO voting.questions AS q (survey_id, id, title, min, max, sort_order, allow_text)
                    SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7)
                    ON CONFLICT (id) DO UPDATE SET title = excluded.title, min = excluded.min, max = excluded.max,
                        sort_order = excluded.sort_order, allow_text = excluded.allow_text
                    WHERE q.survey_id = excluded.survey_id
                    """,
                    survey, written.Select(question => Id(question.Id)).ToArray(),
                    written.Select(question => question.Title).ToArray(),
                    written.Select(question => question.Min).ToArray(),
                    written.Select(question => question.Max).ToArray(),
                    written.Select(question => question.Order).ToArray(),
                    written.Select(question => question.AllowText).ToArray()),
                Command("""
                    INSERT INTO voting.options AS o (question_id, id, text, image, sort_order)
                    SELECT * FROM unnest($1, $2, $3, $4, $5)
                    ON CONFLICT (id) DO UPDATE SET text = excluded.text, image = excluded.image,
                        sort_order = excluded.sort_order
                    WHERE o.question_id = excluded.question_id
                    """,
                    options.Select(option => option.Question).ToArray(),
                    options.Select(option => Id(option.Option.Id)).ToArray(),
                    options.Select(option => option.Option.Text).ToArray(),
                    options.Select(option => option.Option.Image).ToArray(),
                    options.Select(option => option.Option.Order).ToArray()),
            },
        };
        await batch.ExecuteNonQueryAsync(cancel);
        return written;
    }

    /// <returns>
    /// Ids that were never given out before and never will be again, whatever becomes of the transaction.
    /// </returns>
    /// <param name="transaction">Where to ask.</param>
    /// <param name="table">One of ours.</param>
    /// <param name="count">How many.</param>
    /// <param name="cancel">Ends the wait; the ids are lost.</param>
    public static async Task<int[]> NewIdsAsync(
        NpgsqlTransaction transaction, string table, int count, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand(
            "SELECT array_agg(nextval(pg_get_serial_sequence($1, 'id'))::int) FROM generate_series(1, $2)",
            transaction.Connection, transaction);
        query.Parameters.Add(new() { Value = table });
        query.Parameters.Add(new() { Value = count });
        return await query.ExecuteScalarAsync(cancel) as int[] ?? [];
    }

    private static async Task<QuestionBody[]> WithIdsAsync(
        NpgsqlTransaction transaction, IReadOnlyList<QuestionBody> questions, CancellationToken cancel)
    {
        var optionCount = questions.Sum(question => question.Options.Count(option => option.Id is null));
        var questionIds = new Queue<int>(await NewIdsAsync(
            transaction, "voting.questions", questions.Count(question => question.Id is null), cancel));
        var optionIds = new Queue<int>(await NewIdsAsync(transaction, "voting.options", optionCount, cancel));
        return [.. questions.OrderBy(question => question.Order).Select(question => question with
        {
            Id = question.Id ?? SurveyWords.Id(questionIds.Dequeue()),
            Options = [.. question.Options.OrderBy(option => option.Order).Select(option => option with
            {
                Id = option.Id ?? SurveyWords.Id(optionIds.Dequeue()),
            })],
        })];
    }

    private static int Id(string? text) => JsonBody.TryParseId(text, out var id)
        ? id
        : throw new ArgumentException($"{text} has not been checked.", nameof(text));

    private static NpgsqlBatchCommand Command(string sql, params object[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            var parameter = new NpgsqlParameter { Value = value };
            if (value is string?[]) parameter.NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text;
            command.Parameters.Add(parameter);
        }

        return command;
    }
}
