using Mediator;
using Voting.Contracts;

namespace Voting;

/// <summary>Reads a survey's tallies from every shard that holds one.</summary>
internal sealed class ReadTalliesHandler(VotingDatabase database)
    : IQueryHandler<ReadTallies, IReadOnlyList<PartitionTally>>
{
    public async ValueTask<IReadOnlyList<PartitionTally>> Handle(ReadTallies query, CancellationToken cancellationToken)
    {
        var tallies = new List<PartitionTally>();
        // Shards of one database share a connection pool, so one query for all of them would gain little.
        foreach (var shard in database.Shards)
        {
            await using var command = shard.Source.CreateCommand(
                $"SELECT partition, version, ballots, options, votes FROM {shard.Schema}.tallies WHERE survey = $1");
            command.Parameters.Add(new() { Value = query.SurveyId });
            await using var rows = await command.ExecuteReaderAsync(cancellationToken);
            while (await rows.ReadAsync(cancellationToken))
            {
                tallies.Add(new(query.SurveyId, rows.GetInt32(0), rows.GetInt64(1), rows.GetInt64(2),
                    rows.GetFieldValue<int[]>(3), rows.GetFieldValue<long[]>(4)));
            }
        }

        return tallies;
    }
}
