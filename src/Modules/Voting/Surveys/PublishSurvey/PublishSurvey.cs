using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Publishes and finishes surveys, by the database's clock. Repeats, also concurrent ones, say the same again.
/// </summary>
internal sealed class PublishSurvey(VotingDatabase database, EventStamps stamps)
{
    /// <summary>Opens a draft for ballots; from then on it stays as it is.</summary>
    /// <param name="id">Of the survey.</param>
    /// <param name="onlyIfDue">Publish only if it is due by its own <c>opensAt</c> at this moment.</param>
    /// <param name="actor">Whose order it is.</param>
    /// <param name="cancel">Ends the wait, not a commit under way.</param>
    public Task<SurveyOutcome> PublishAsync(int id, bool onlyIfDue, EventActor actor, CancellationToken cancel) =>
        MoveAsync(id, onlyIfDue, "opens_at",
        "UPDATE voting.surveys SET status = 'published', start_date = $2 WHERE id = $1",
        survey => survey.Status switch
        {
            // A repeat after the finish is a repeat all the same: the survey was published.
            not SurveyStatus.Draft => survey.Dates(),
            _ when survey.ClosesAt <= survey.Now => new SurveyOutcome.Invalid(
                new Dictionary<string, string[]> { ["closesAt"] = ["This has passed: it would close at once."] }),
            _ => null,
        }, async (transaction, at) => SurveyEvents.Published(
            stamps.New(actor, at), SurveyView.Of((await SurveyRows.FindAsync(transaction, id, cancel))!)), cancel);

    /// <summary>
    /// Ends the taking of ballots. What was accepted is still counted; the closing loop does the rest.
    /// </summary>
    /// <param name="id">Of the survey.</param>
    /// <param name="onlyIfDue">Finish only if it is due by its own <c>closesAt</c> at this moment.</param>
    /// <param name="actor">Whose order it is.</param>
    /// <param name="cancel">Ends the wait, not a commit under way.</param>
    public Task<SurveyOutcome> FinishAsync(int id, bool onlyIfDue, EventActor actor, CancellationToken cancel) =>
        MoveAsync(id, onlyIfDue, "closes_at",
        "UPDATE voting.surveys SET status = 'closing', finish_date = $2, closing_at = $2 WHERE id = $1",
        survey => survey.Status switch
        {
            SurveyStatus.Draft => new SurveyOutcome.NotOpen(),
            SurveyStatus.Published => null,
            _ => survey.Dates(),
        }, (_, at) => Task.FromResult(SurveyEvents.Finished(stamps.New(actor, at), id, at)), cancel);

    private async Task<SurveyOutcome> MoveAsync(
        int id, bool onlyIfDue, string dueColumn, string move, Func<Standing, SurveyOutcome?> settled,
        Func<NpgsqlTransaction, DateTimeOffset, Task<OutboxEvent>> told, CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using (var hold = new NpgsqlCommand(
            "SELECT FROM voting.surveys WHERE id = $1 FOR UPDATE", connection, transaction))
        {
            hold.Parameters.Add(new() { Value = id });
            await hold.ExecuteNonQueryAsync(cancel);
        }

        // The clock is read once the row is ours: while we waited for it, time went on.
        if (await ReadAsync(transaction, id, dueColumn, cancel) is not { } survey)
            return new SurveyOutcome.NoSuchSurvey();
        if (settled(survey) is { } outcome) return outcome;
        if (onlyIfDue && !(survey.DueAt <= survey.Now)) return survey.Dates();

        await using (var update = new NpgsqlCommand(move, connection, transaction))
        {
            update.Parameters.Add(new() { Value = id });
            update.Parameters.Add(new() { Value = survey.Now });
            await update.ExecuteNonQueryAsync(cancel);
        }

        var moved = await ReadAsync(transaction, id, dueColumn, cancel);
        await transaction.WriteEventAsync(database.ControlSchema, await told(transaction, survey.Now), cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return moved!.Dates();
    }

    private static async Task<Standing?> ReadAsync(
        NpgsqlTransaction transaction, int id, string dueColumn, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand($"""
            SELECT title, status, start_date, finish_date, closes_at, {dueColumn},
                date_trunc('milliseconds', clock_timestamp())
            FROM voting.surveys WHERE id = $1
            """, transaction.Connection, transaction);
        query.Parameters.Add(new() { Value = id });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        return await rows.ReadAsync(cancel)
            ? new(id, rows.GetString(0), SurveyWords.Status(rows.GetString(1)),
                Time(2), Time(3), Time(4), Time(5), Time(6)!.Value)
            : null;

        DateTimeOffset? Time(int column) => rows.IsDBNull(column) ? null : rows.GetFieldValue<DateTimeOffset>(column);
    }

    /// <summary>Where a survey stands at one moment of the database's clock.</summary>
    private sealed record Standing(
        int Id, string Title, SurveyStatus Status, DateTimeOffset? StartDate, DateTimeOffset? FinishDate,
        DateTimeOffset? ClosesAt, DateTimeOffset? DueAt, DateTimeOffset Now)
    {
        public SurveyOutcome.Moved Dates() => new(new(SurveyWords.Id(Id), Title, StartDate, FinishDate));
    }
}
