using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace Voting;

/// <summary>
/// Publishes and finishes surveys when their own <c>opensAt</c> and <c>closesAt</c> have come, by the database's clock.
/// </summary>
/// <remarks>One process at a time does it; if two did, the surveys' row locks would keep each step single.</remarks>
internal sealed partial class RunSchedule(
    VotingDatabase database, PublishSurvey surveys, TimeProvider clock, ILogger<RunSchedule> logger) : BackgroundService
{
    private static readonly EventActor Actor = EventActor.System("schedule");

    // A survey opens and closes within a second of its time; two indexed reads a second cost nothing.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        do
        {
            try
            {
                await RunDueAsync(stoppingToken);
            }
            catch (NpgsqlException e)
            {
                // What was due stays due until the database answers again.
                Interrupted(logger, e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>Does what is due now, unless another process is at it.</summary>
    internal async Task RunDueAsync(CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        // The lock goes with the transaction, however that ends.
        await using (var take = new NpgsqlCommand(
            "SELECT pg_try_advisory_xact_lock('voting.surveys'::regclass::int, 1)", connection, transaction))
        {
            if (await take.ExecuteScalarAsync(cancel) is not true) return;
        }

        foreach (var (id, opens) in await DueAsync(transaction, cancel))
        {
            // One transaction a survey, on a connection of its own: two surveys in one could wait for each other.
            var outcome = opens
                ? await surveys.PublishAsync(id, onlyIfDue: true, Actor, cancel)
                : await surveys.FinishAsync(id, onlyIfDue: true, Actor, cancel);
            Ran(logger, id, opens ? "open" : "close", outcome.GetType().Name);
        }
    }

    private static async Task<List<(int Id, bool Opens)>> DueAsync(
        NpgsqlTransaction transaction, CancellationToken cancel)
    {
        // A draft whose closing has passed too stays a draft: its manager has to say what is meant.
        await using var query = new NpgsqlCommand("""
            SELECT id, true FROM voting.surveys
            WHERE status = 'draft' AND opens_at <= clock_timestamp()
                AND (closes_at IS NULL OR closes_at > clock_timestamp())
            UNION ALL
            SELECT id, false FROM voting.surveys WHERE status = 'published' AND closes_at <= clock_timestamp()
            ORDER BY 1
            """, transaction.Connection, transaction);
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var due = new List<(int, bool)>();
        while (await rows.ReadAsync(cancel)) due.Add((rows.GetInt32(0), rows.GetBoolean(1)));
        return due;
    }

    [LoggerMessage(LogLevel.Information, "Survey {Id} was due to {Step}: {Outcome}")]
    private static partial void Ran(ILogger logger, int id, string step, string outcome);

    [LoggerMessage(LogLevel.Warning, "Opening and closing surveys on time was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);
}
