using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>Signs final results: each once, by one compare-and-swap; it never changes afterwards.</summary>
internal sealed partial class FinalResults(
    VotingDatabase database, ReadTalliesHandler tallies, KeyRing keys, IOptions<TokenOptions> tokens,
    EventStamps stamps, TimeProvider clock, ILogger<FinalResults> logger)
{
    public const string KeyPurpose = "result";

    private const string Type = "survey-result+jwt";

    private static readonly EventActor Actor = EventActor.System("closing");

    // Asked four times a second; whoever reads the log needs it less often.
    private static readonly TimeSpan HeldUpInterval = TimeSpan.FromMinutes(1);

    private readonly Dictionary<int, long> _heldUpSaidAt = [];

    /// <summary>Signs the result of a survey whose fences are all counted. One call at a time.</summary>
    /// <returns>False while something before a fence is undecided.</returns>
    public async Task<bool> TrySignAsync(Survey survey, IReadOnlyDictionary<int, long> fences, CancellationToken cancel)
    {
        if (await PoisonBeforeAsync(fences, cancel) is > 0 and var poison)
        {
            SayHeldUp(survey.Id, poison);
            return false;
        }

        _heldUpSaidAt.Remove(survey.Id);

        var parts = await tallies.Handle(new ReadTallies(survey.Id), cancel);
        var votes = survey.Description.Questions.SelectMany(question => question.Options)
            .ToDictionary(option => option.Id, _ => 0L);
        foreach (var part in parts)
        {
            for (var i = 0; i < part.Options.Count; i++) votes[part.Options[i]] += part.Votes[i];
        }

        var (ballots, version) = (parts.Sum(part => part.Ballots), parts.Sum(part => part.Version));
        var finalAt = clock.GetUtcNow();
        var statement = Sign(survey.Id, version, ballots, votes, finalAt);
        var result = new FinalResult(statement, version, ballots, votes, finalAt);
        return await StoreAsync(survey.Id, result, fences, cancel);
    }

    private async Task<bool> StoreAsync(
        int survey, FinalResult result, IReadOnlyDictionary<int, long> fences, CancellationToken cancel)
    {
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using var swap = new NpgsqlCommand("""
            UPDATE voting.surveys SET status = 'finished', final_statement = $2, final_version = $3, final_ballots = $4,
                final_votes = $5::jsonb, final_at = $6
            WHERE id = $1 AND status = 'closing' AND final_statement IS NULL
            """, connection, transaction);
        swap.Parameters.Add(new() { Value = survey });
        swap.Parameters.Add(new() { Value = result.Statement });
        swap.Parameters.Add(new() { Value = result.Version });
        swap.Parameters.Add(new() { Value = result.Ballots });
        var byOption = result.Votes
            .ToDictionary(vote => vote.Key.ToString(CultureInfo.InvariantCulture), vote => vote.Value);
        swap.Parameters.Add(new()
        {
            Value = JsonSerializer.Serialize(byOption, FinalVotesJson.Default.DictionaryStringInt64),
        });
        swap.Parameters.Add(new() { Value = result.FinalAt });
        if (await swap.ExecuteNonQueryAsync(cancel) != 1) return false;
        await transaction.WriteEventAsync(
            database.ControlSchema, SurveyEvents.Finalized(stamps.New(Actor, result.FinalAt), survey, result, fences),
            cancel);
        await transaction.CommitAsync(CancellationToken.None);
        return true;
    }

    private void SayHeldUp(int survey, long poison)
    {
        if (_heldUpSaidAt.TryGetValue(survey, out var saidAt) && clock.GetElapsedTime(saidAt) < HeldUpInterval) return;
        _heldUpSaidAt[survey] = clock.GetTimestamp();
        HeldUpByPoison(logger, survey, poison);
    }

    private async Task<long> PoisonBeforeAsync(IReadOnlyDictionary<int, long> fences, CancellationToken cancel)
    {
        var count = 0L;
        foreach (var shard in database.Shards)
        {
            await using var query = shard.Source.CreateCommand($"""
                SELECT count(*) FROM {shard.Schema}.poison
                JOIN unnest($1, $2) AS fence (partition, "offset") USING (partition)
                WHERE poison."offset" < fence."offset" AND resolved_at IS NULL
                """);
            query.Parameters.Add(new() { Value = fences.Keys.ToArray() });
            query.Parameters.Add(new() { Value = fences.Values.ToArray() });
            count += (long)(await query.ExecuteScalarAsync(cancel))!;
        }

        return count;
    }

    private string Sign(int survey, long version, long ballots, Dictionary<int, long> votes, DateTimeOffset finalAt) =>
        Jws.Sign(keys.Current(KeyPurpose), Type, json =>
        {
            json.WriteString("iss"u8, tokens.Value.Issuer);
            json.WriteString("survey_id"u8, survey.ToString(CultureInfo.InvariantCulture));
            json.WriteString("status"u8, "final"u8);
            json.WriteNumber("version"u8, version);
            json.WriteNumber("total_responses"u8, ballots);
            json.WriteNumber("final_at"u8, finalAt.ToUnixTimeSeconds());
            json.WriteStartObject("votes"u8);
            foreach (var (option, count) in votes.OrderBy(vote => vote.Key))
                json.WriteNumber(option.ToString(CultureInfo.InvariantCulture), count);
            json.WriteEndObject();
        });

    [LoggerMessage(LogLevel.Error,
        "The result of survey {SurveyId} waits for {Count} unresolved poison records before its fences")]
    private static partial void HeldUpByPoison(ILogger logger, int surveyId, long count);
}

[JsonSerializable(typeof(Dictionary<string, long>))]
internal sealed partial class FinalVotesJson : JsonSerializerContext;
