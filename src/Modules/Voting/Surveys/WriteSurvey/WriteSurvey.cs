using System.Security.Cryptography;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Creates, changes and deletes drafts. Whoever changes a survey holds its row: orders about one follow each other.
/// </summary>
internal sealed class WriteSurvey(
    VotingDatabase database, MasterKey masterKey, RandomNumberGenerator random, EventStamps stamps)
{
    private const int SecretBytes = 32;

    /// <param name="body">Well-formed (<see cref="SurveyRules.Malformations"/>).</param>
    /// <param name="actor">Whose order it is.</param>
    /// <param name="cancel">Ends the wait, not a commit under way.</param>
    public async Task<SurveyOutcome> CreateAsync(SurveyBody body, EventActor actor, CancellationToken cancel)
    {
        var breaches = SurveyRules.Breaches(body);
        if (!breaches.None) return new SurveyOutcome.Invalid(breaches.Messages);

        var secret = new byte[SecretBytes];
        random.GetBytes(secret);
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var id = (await DraftRows.NewIdsAsync(transaction, "voting.surveys", 1, cancel))[0];
        await using (var insert = new NpgsqlCommand("""
            INSERT INTO voting.surveys (title, results_visibility, live_batch_min, opens_at, closes_at,
                eligible_verified, eligible_countries, eligible_minimum_age, eligible_group, id, secret)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """, connection, transaction))
        {
            AddColumns(insert, body);
            insert.Parameters.Add(new() { Value = id });
            insert.Parameters.Add(new() { Value = masterKey.Wrap(secret, SurveySecret.Purpose(id)) });
            await insert.ExecuteNonQueryAsync(cancel);
        }

        var view = View(id, body, await DraftRows.WriteAsync(transaction, id, body.Questions, cancel));
        await transaction.WriteEventAsync(
            database.ControlSchema, SurveyEvents.Created(stamps.New(actor), view), cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return new SurveyOutcome.Created(view);
    }

    /// <summary>
    /// Makes a draft what the body says: items with an id change, those without are new, those left out go.
    /// </summary>
    /// <param name="id">Of the survey.</param>
    /// <param name="body">Well-formed (<see cref="SurveyRules.Malformations"/>).</param>
    /// <param name="actor">Whose order it is.</param>
    /// <param name="cancel">Ends the wait, not a commit under way.</param>
    public async Task<SurveyOutcome> UpdateAsync(
        int id, SurveyBody body, EventActor actor, CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var status = await LockAsync(transaction, id, cancel);
        if (status is null) return new SurveyOutcome.NoSuchSurvey();
        if (status is not SurveyStatus.Draft) return new SurveyOutcome.NotDraft(status.Value);

        var breaches = SurveyRules.Breaches(body);
        await DraftRows.CheckIdsAsync(transaction, id, body.Questions, breaches, cancel);
        if (!breaches.None) return new SurveyOutcome.Invalid(breaches.Messages);

        await using (var update = new NpgsqlCommand("""
            UPDATE voting.surveys SET title = $1, results_visibility = $2, live_batch_min = $3, opens_at = $4,
                closes_at = $5, eligible_verified = $6, eligible_countries = $7, eligible_minimum_age = $8,
                eligible_group = $9
            WHERE id = $10
            """, connection, transaction))
        {
            AddColumns(update, body);
            update.Parameters.Add(new() { Value = id });
            await update.ExecuteNonQueryAsync(cancel);
        }

        var view = View(id, body, await DraftRows.WriteAsync(transaction, id, body.Questions, cancel));
        await transaction.WriteEventAsync(
            database.ControlSchema, SurveyEvents.Updated(stamps.New(actor), view), cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return new SurveyOutcome.Updated(view);
    }

    /// <summary>Deletes a draft with all that is in it. Its ids are never given to others.</summary>
    public async Task<SurveyOutcome> DeleteAsync(int id, EventActor actor, CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var status = await LockAsync(transaction, id, cancel);
        if (status is null) return new SurveyOutcome.NoSuchSurvey();
        if (status is not SurveyStatus.Draft) return new SurveyOutcome.NotDraft(status.Value);

        await using var delete = new NpgsqlCommand("DELETE FROM voting.surveys WHERE id = $1", connection, transaction);
        delete.Parameters.Add(new() { Value = id });
        await delete.ExecuteNonQueryAsync(cancel);
        await transaction.WriteEventAsync(database.ControlSchema, SurveyEvents.Deleted(stamps.New(actor), id), cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return new SurveyOutcome.Deleted();
    }

    private static async Task<SurveyStatus?> LockAsync(NpgsqlTransaction transaction, int id, CancellationToken cancel)
    {
        await using var query = new NpgsqlCommand(
            "SELECT status FROM voting.surveys WHERE id = $1 FOR UPDATE", transaction.Connection, transaction);
        query.Parameters.Add(new() { Value = id });
        return await query.ExecuteScalarAsync(cancel) is string word ? SurveyWords.Status(word) : null;
    }

    private static void AddColumns(NpgsqlCommand command, SurveyBody body)
    {
        var eligibility = body.Eligibility ?? new();
        object?[] values =
        [
            body.Title, body.ResultsVisibility ?? "live", body.LiveBatchMin ?? 1,
            body.OpensAt, body.ClosesAt, eligibility.Verified, (eligibility.Countries ?? []).ToArray(),
            eligibility.MinimumAge, eligibility.Group,
        ];
        foreach (var value in values) command.Parameters.Add(new() { Value = value ?? DBNull.Value });
    }

    private static SurveyView View(int id, SurveyBody body, IReadOnlyList<QuestionBody> questions) => new(
        SurveyWords.Id(id), body.Title, SurveyWords.Of(SurveyStatus.Draft), null, null,
        body.ResultsVisibility ?? "live", body.LiveBatchMin ?? 1, body.OpensAt, body.ClosesAt,
        body.Eligibility ?? new(), questions);
}

/// <summary>What a survey's voter keys, vote ids and salts are made with.</summary>
internal static class SurveySecret
{
    /// <returns>What its wrapping is bound to: another survey's secret cannot be put in its place.</returns>
    public static string Purpose(int survey) => $"survey-secret/{survey}";
}
