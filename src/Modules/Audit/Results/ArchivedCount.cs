using System.Globalization;
using System.Text;
using System.Text.Json;
using Npgsql;
using Platform;

namespace Audit;

/// <summary>What the archive gives for a survey, as it was indexed and as it was reconciled.</summary>
/// <param name="Indexed">Ballots that the index of events has as counted.</param>
/// <param name="Reconciled">Ballots and votes that archived outcomes give.</param>
/// <param name="OpenCount">
/// How many differences are open between the survey's archived votes, rows and tallies.
/// </param>
/// <param name="IsIndexed">Whether the index has everything that is archived of votes.</param>
internal sealed record ArchivedCount(long Indexed, SurveyFigures Reconciled, long OpenCount, bool IsIndexed)
{
    public static async Task<ArchivedCount> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction moment, int survey, CancellationToken stop)
    {
        await using var query = new NpgsqlCommand("""
            SELECT (SELECT coalesce(sum(counted), 0)::bigint FROM audit.survey_counts WHERE survey = $1),
                (SELECT count(*) FROM audit.differences
                 WHERE survey = $1 AND resolved_at IS NULL AND kind <> ALL ($2)),
                s.counted, s.options, s.votes,
                (SELECT bool_and(i.checkpoint = h.published) FROM audit.heads h JOIN audit.indexed i USING (log)
                 WHERE starts_with(h.log, 'votes-')) IS TRUE
            FROM (SELECT) AS one LEFT JOIN audit.reconciled_surveys s ON s.survey = $1
            """, connection, moment);
        query.Parameters.Add(new() { Value = survey });
        // What a result is stated by is looked at here; what is shown beside it changes nothing of that.
        query.Parameters.Add(new() { Value = DifferenceKinds.OfResults });
        await using var rows = await query.ExecuteReaderAsync(stop);
        var (indexed, open, figures, isIndexed) = (0L, 0L, new SurveyFigures(), false);
        while (await rows.ReadAsync(stop))
        {
            (indexed, open, isIndexed) = (rows.GetInt64(0), rows.GetInt64(1), rows.GetBoolean(5));
            if (rows.IsDBNull(2)) continue;
            figures.Counted += rows.GetInt64(2);
            foreach (var (option, count) in rows.GetFieldValue<int[]>(3).Zip(rows.GetFieldValue<long[]>(4)))
                figures.Votes[option] = figures.Votes.GetValueOrDefault(option) + count;
        }

        return new(indexed, figures, open, isIndexed);
    }

    /// <param name="survey">Whose result it is.</param>
    /// <param name="facts">The result.</param>
    /// <param name="keys">Those that sign results.</param>
    /// <returns>Why the result cannot be stated, or null. Never what was chosen.</returns>
    public string? Contradiction(int survey, FinalFacts facts, IReadOnlyList<SigningKey> keys)
    {
        if (OpenCount > 0)
            return $"{OpenCount} differences are open between the survey's archived votes, rows and tallies";
        var ballots = Math.Max(Indexed, Reconciled.Counted);
        if (ballots > facts.Ballots || Reconciled.Counted < facts.Ballots)
            return $"the archive counts {Reconciled.Counted} ballots, the result {facts.Ballots}";
        if (!facts.Gives(Reconciled)) return "the archive gives other votes than the result";
        return IsSigned(survey, facts, keys) ? null : "the signed result is not what its event says";
    }

    /// <summary>What everybody gets to see is the signed result: it says what the event says.</summary>
    private static bool IsSigned(int survey, FinalFacts facts, IReadOnlyList<SigningKey> keys)
    {
        try
        {
            if (facts.Statement.Split('.') is not [var header, var body, var signature]) return false;
            using var named = JsonDocument.Parse(StrictText.FromBase64Url(header));
            var key = keys.FirstOrDefault(one => one.KeyId == named.RootElement.GetProperty("kid").GetString());
            if (named.RootElement.GetProperty("typ").GetString() != "survey-result+jwt"
                || key?.Verify(
                    Encoding.ASCII.GetBytes($"{header}.{body}"), StrictText.FromBase64Url(signature)) is not true)
            {
                return false;
            }

            using var json = JsonDocument.Parse(StrictText.FromBase64Url(body));
            var said = json.RootElement;
            var votes = said.GetProperty("votes").EnumerateObject().ToDictionary(
                vote => int.Parse(vote.Name, NumberStyles.None, CultureInfo.InvariantCulture),
                vote => vote.Value.GetInt64());
            return said.GetProperty("survey_id").GetString() == survey.ToString(CultureInfo.InvariantCulture)
                && said.GetProperty("status").GetString() == "final"
                && said.GetProperty("version").GetInt64() == facts.Version
                && said.GetProperty("total_responses").GetInt64() == facts.Ballots
                && votes.Count == facts.Votes.Count
                && facts.Votes.All(vote => votes.TryGetValue(vote.Option, out var count) && count == vote.Count);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
            or FormatException or OverflowException or ArgumentException)
        {
            return false;
        }
    }
}
