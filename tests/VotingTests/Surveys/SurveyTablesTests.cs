using Npgsql;

namespace VotingTests;

/// <summary>The last line of defence: what the tables refuse whoever writes, even as superuser.</summary>
public sealed class SurveyTablesTests(SharedSurveys shared) : IClassFixture<SharedSurveys>
{
    private static readonly Dictionary<string, (string Status, string Sql)> Refused = new()
    {
        ["a survey without a title"] = ("draft", "UPDATE voting.surveys SET title = '' WHERE id = $survey"),
        ["a title too long"] = ("draft", "UPDATE voting.surveys SET title = repeat('x', 201) WHERE id = $survey"),
        ["an unknown status"] = ("draft", "UPDATE voting.surveys SET status = 'open' WHERE id = $survey"),
        ["publication without a date"] = ("draft", "UPDATE voting.surveys SET status = 'published' WHERE id = $survey"),
        ["a draft with a start"] = ("draft", "UPDATE voting.surveys SET start_date = now() WHERE id = $survey"),
        ["closing before opening"] =
            ("draft", "UPDATE voting.surveys SET opens_at = now(), closes_at = now() WHERE id = $survey"),
        ["batches of none"] = ("draft", "UPDATE voting.surveys SET live_batch_min = 0 WHERE id = $survey"),
        ["a survey without a secret"] = ("draft", "UPDATE voting.surveys SET secret = NULL WHERE id = $survey"),
        ["another secret"] =
            ("draft", "UPDATE voting.surveys SET secret = sha256(secret) || secret WHERE id = $survey"),
        ["publication of an empty survey"] = ("draft", """
            DELETE FROM voting.questions WHERE survey_id = $survey;
            UPDATE voting.surveys SET status = 'published', start_date = now() WHERE id = $survey
            """),
        ["publication with too few options"] = ("draft", """
            DELETE FROM voting.options WHERE id = $option;
            UPDATE voting.surveys SET status = 'published', start_date = now() WHERE id = $survey
            """),
        ["min above max"] = ("draft", "UPDATE voting.questions SET min = 3 WHERE id = $question"),
        ["an order too high"] = ("draft", "UPDATE voting.options SET sort_order = 10000 WHERE id = $option"),
        ["two of one order"] = ("draft", "UPDATE voting.options SET sort_order = 1 WHERE question_id = $question"),
        ["an image by http"] = ("draft", "UPDATE voting.options SET image = 'http://x' WHERE id = $option"),
        ["an option of another id"] = ("draft", "UPDATE voting.options SET id = 999999999 WHERE id = $option"),
        ["another title once published"] = ("published", "UPDATE voting.surveys SET title = 'x' WHERE id = $survey"),
        ["other voters once published"] =
            ("published", "UPDATE voting.surveys SET eligible_verified = false WHERE id = $survey"),
        ["other visibility once published"] =
            ("published", "UPDATE voting.surveys SET results_visibility = 'afterFinish' WHERE id = $survey"),
        ["another start once published"] =
            ("published", "UPDATE voting.surveys SET start_date = now() WHERE id = $survey"),
        ["back to draft"] =
            ("published", "UPDATE voting.surveys SET status = 'draft', start_date = NULL WHERE id = $survey"),
        ["deletion once published"] = ("published", "DELETE FROM voting.surveys WHERE id = $survey"),
        ["an option's text once published"] = ("published", "UPDATE voting.options SET text = 'x' WHERE id = $option"),
        ["an option less once published"] = ("published", "DELETE FROM voting.options WHERE id = $option"),
        ["an option more once published"] =
            ("published", "INSERT INTO voting.options (question_id, text, sort_order) VALUES ($question, 'x', 9)"),
        ["a question's max once published"] = ("published", "UPDATE voting.questions SET max = 1 WHERE id = $question"),
        ["a question less once published"] = ("published", "DELETE FROM voting.questions WHERE id = $question"),
        ["a result before the end"] = ("published", "UPDATE voting.surveys SET final_ballots = 1 WHERE id = $survey"),
        ["open again"] = ("closing", """
            UPDATE voting.surveys SET status = 'published', finish_date = NULL, closing_at = NULL WHERE id = $survey
            """),
        ["another finish"] = ("closing", "UPDATE voting.surveys SET finish_date = now() WHERE id = $survey"),
        ["finished without a result"] = ("closing", "UPDATE voting.surveys SET status = 'finished' WHERE id = $survey"),
        ["no secret while it is still counted"] =
            ("closing", "UPDATE voting.surveys SET secret = NULL WHERE id = $survey"),
        ["another result"] = ("finished", "UPDATE voting.surveys SET final_ballots = 4 WHERE id = $survey"),
        ["another statement"] = ("finished", "UPDATE voting.surveys SET final_statement = 'x' WHERE id = $survey"),
        ["closing again"] = ("finished", """
            UPDATE voting.surveys SET status = 'closing', final_statement = NULL, final_version = NULL,
                final_ballots = NULL, final_votes = NULL, final_at = NULL WHERE id = $survey
            """),
    };

    public static TheoryData<string> Names => [.. Refused.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Names))]
    public async Task The_tables_refuse(string name)
    {
        var (status, sql) = Refused[name];
        var survey = await shared.Host.CreateAsync();
        if (status is not "draft") await shared.Host.OrderAsync(survey, "publish");
        if (status is "closing" or "finished") await shared.Host.OrderAsync(survey, "finish");
        if (status is "finished") await shared.Host.FinalizeAsync(survey);
        sql = sql.Replace("$survey", (string?)survey["id"]).Replace("$question", (string?)survey.Question()["id"])
            .Replace("$option", (string?)survey.Option()["id"]);

        await using var command = shared.Host.Database.Source.CreateCommand(sql);
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Cancel));

        // Integrity violations, and the guards' own.
        Assert.Matches("^(23...|P0001)$", refusal.SqlState);
    }

    [Fact]
    public async Task The_one_lease_is_there_and_stays_one()
    {
        Assert.Equal(TimeSpan.Zero, await shared.Host.ScalarAsync<TimeSpan>("SELECT longest FROM voting.api_lease"));
        await using var second = shared.Host.Database.Source.CreateCommand(
            "INSERT INTO voting.api_lease (longest) VALUES ('1 s')");
        await Assert.ThrowsAsync<PostgresException>(() => second.ExecuteNonQueryAsync(Cancel));
    }
}
