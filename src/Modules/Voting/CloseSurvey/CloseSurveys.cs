using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Brings surveys that were finished to their end: waits until no api process can accept by an old reading, fences
/// every partition off, and signs the result once every ballot before the fences is counted.
/// </summary>
/// <remarks>
/// One process at a time does it, the one that holds the lock; a fence appended twice changes nothing.
/// </remarks>
internal sealed partial class CloseSurveys(
    SurveyDirectory surveys, VotingDatabase database, Fences fences, FinalResults results, IEventLog log, EventMac mac,
    ShardMap map, TimeProvider clock, ILogger<CloseSurveys> logger) : BackgroundService
{
    private const long LockKey = 7231402;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly FencePatience _patience = new(clock);
    private readonly HashSet<int> _fenced = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.Control.OpenConnectionAsync(stoppingToken);
                await RunLockedAsync(connection, stoppingToken);
            }
            catch (NpgsqlException e)
            {
                // Without the lock nothing may be done, and without the database there is no lock: later.
                Interrupted(logger, e);
            }

            await Task.Delay(Pause, clock, stoppingToken);
        }
    }

    private async Task RunLockedAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        // A transaction's lock, so that a holder that hangs loses it by its silence.
        await using var transaction = await connection.BeginTransactionAsync(stop);
        await using var take = new NpgsqlCommand("SELECT pg_try_advisory_xact_lock($1)", connection, transaction);
        take.Parameters.Add(new() { Value = LockKey });
        if (await take.ExecuteScalarAsync(stop) is not true)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), clock, stop);
            return;
        }

        // What another holder saw is not known here.
        _patience.Begin();
        _fenced.Clear();
        await using var hold = new NpgsqlCommand("SELECT 1", connection, transaction);
        while (true)
        {
            foreach (var survey in surveys.All.Where(survey => survey.Status is SurveyStatus.Closing).ToArray())
            {
                await AdvanceAsync(survey, hold, stop);
                await hold.ExecuteNonQueryAsync(stop);
            }

            await Task.Delay(Pause, clock, stop);
            await hold.ExecuteNonQueryAsync(stop);
        }
    }

    private async Task AdvanceAsync(Survey survey, NpgsqlCommand hold, CancellationToken stop)
    {
        if (!_patience.IsOver(survey.Id, await LongestLeaseAsync(stop))) return;

        var counted = await fences.AllAsync(survey.Id, stop);
        if (!_fenced.Contains(survey.Id))
        {
            for (var partition = 0; partition < map.Partitions; partition++)
            {
                if (counted.ContainsKey(partition)) continue;
                var fence = new SurveyClosed(survey.Id, partition, survey.Description.FinishDate!.Value);
                await log.AppendAsync(
                    new(VotingTopics.Votes, partition), new LogRecord(default, fence.ToBytes(mac)), stop);
                // A thousand appends may take longer than the server bears a silent holder of the lock.
                await hold.ExecuteNonQueryAsync(stop);
            }

            _fenced.Add(survey.Id);
            FencedOff(logger, survey.Id);
        }

        if (counted.Count < map.Partitions) return;
        if (await results.TrySignAsync(survey, counted, stop)) Final(logger, survey.Id);
    }

    private async Task<TimeSpan> LongestLeaseAsync(CancellationToken stop)
    {
        await using var query = database.Control.CreateCommand("SELECT longest FROM voting.api_lease");
        return await query.ExecuteScalarAsync(stop) is TimeSpan longest ? longest : TimeSpan.Zero;
    }

    [LoggerMessage(LogLevel.Information, "Survey {SurveyId} is fenced off in every partition")]
    private static partial void FencedOff(ILogger logger, int surveyId);

    [LoggerMessage(LogLevel.Information, "The result of survey {SurveyId} is final")]
    private static partial void Final(ILogger logger, int surveyId);

    [LoggerMessage(LogLevel.Warning, "Closing surveys was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);
}
