using Mediator;
using Voting.Contracts;

namespace Voting;

/// <summary>Reads final results as they are stored, for whoever compares them with what was archived.</summary>
internal sealed class ReadRecordedResultsHandler(VotingDatabase database)
    : IQueryHandler<ReadRecordedResults, IReadOnlyList<RecordedResult>>
{
    public async ValueTask<IReadOnlyList<RecordedResult>> Handle(
        ReadRecordedResults query, CancellationToken cancellationToken)
    {
        await using var read = database.Control.CreateCommand($"""
            SELECT id, final_statement, final_version, final_ballots, final_votes::text, {AsFound.Time("final_at")}
            FROM voting.surveys WHERE id BETWEEN $1 AND $2 AND status = 'finished' ORDER BY id LIMIT $3
            """);
        read.Parameters.Add(new() { Value = query.From });
        read.Parameters.Add(new() { Value = query.To });
        read.Parameters.Add(new() { Value = query.CountMax });
        await using var rows = await read.ExecuteReaderAsync(cancellationToken);
        var results = new List<RecordedResult>();
        while (await rows.ReadAsync(cancellationToken))
        {
            results.Add(new(
                rows.GetInt32(0), rows.IsDBNull(1) ? null : rows.GetString(1),
                rows.IsDBNull(2) ? null : rows.GetInt64(2), rows.IsDBNull(3) ? null : rows.GetInt64(3),
                rows.IsDBNull(4) ? null : rows.GetString(4),
                rows.IsDBNull(5) ? null : rows.GetFieldValue<DateTimeOffset>(5)));
        }

        return results;
    }
}
