using Platform;

namespace Voting;

/// <summary>The staff's list: all surveys, the newest first.</summary>
internal static class ListSurveys
{
    public static async Task<SurveyPage> ReadAsync(
        VotingDatabase database, SurveyPageQuery query, CancellationToken cancel)
    {
        await using var command = database.Control.CreateCommand($"""
            SELECT {SurveyRows.Columns} FROM voting.surveys s WHERE s.id < $1 ORDER BY s.id DESC LIMIT $2
            """);
        command.Parameters.Add(new() { Value = query.After?.Id ?? int.MaxValue });
        command.Parameters.Add(new() { Value = query.Limit + 1 });
        await using var rows = await command.ExecuteReaderAsync(cancel);
        var page = new List<SurveyRow>();
        while (await rows.ReadAsync(cancel)) page.Add(SurveyRows.Read(rows, 0));
        var next = page.Count > query.Limit ? new SurveyCursor(0, page[query.Limit - 1].Id).Write() : null;
        return new([.. page.Take(query.Limit).Select(row => SurveySummary.Of(row.With([], MacKey.None)))], next);
    }
}
