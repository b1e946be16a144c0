using Platform;

namespace Voting;

/// <summary>How a voter's own vote stands, for the endpoints that show it.</summary>
/// <param name="Status">accepted, counted, held or rejected.</param>
/// <param name="Reason">Why it was rejected; null otherwise.</param>
internal sealed record VoteStanding(Reservation Vote, string Status, string? Reason);

/// <summary>Finds a voter's own votes: counted, refused, or accepted and on their way.</summary>
internal sealed class ReadVote(
    SurveyDirectory surveys, VotingDatabase database, IReservations reservations, ShardMap map)
{
    /// <param name="caller">Whose vote.</param>
    /// <param name="surveyId">In which survey.</param>
    /// <param name="voteId">Null means the one that stands, or the newest refused one where none does.</param>
    /// <param name="cancel">Ends the search.</param>
    /// <returns>Null when there is no such survey or the caller has no such vote in it.</returns>
    public async Task<VoteStanding?> FindAsync(
        VoterCaller caller, int surveyId, Key16? voteId, CancellationToken cancel)
    {
        if (surveys.Find(surveyId) is not { } survey) return null;
        var (partition, voterKey) = VoteIdentity.VoterOf(survey.Secret, caller.BallotSubject, map.Partitions);

        // The reservation is read first: a vote moves from there to the rows, so it is seen in one of the two.
        var held = await reservations.FindAsync(surveyId, voterKey, cancel);
        var stored = await StoredAsync(database.OfPartition(partition), surveyId, voterKey, cancel);
        var found = stored.Find(one => voteId is null || one.Vote.VoteId == voteId);
        if (found is { Status: not "rejected" }) return found;
        if (found is null
            && held is { Appended: true, Reservation: var vote } && (voteId is null || vote.VoteId == voteId))
            return new(vote, "accepted", null);
        return found;
    }

    private static async Task<List<VoteStanding>> StoredAsync(
        ModuleShard shard, int survey, Key16 voterKey, CancellationToken cancel)
    {
        await using var query = shard.Source.CreateCommand($"""
            SELECT 'counted', NULL, vote_id, accepted_at, entry, receipt, "offset" FROM {shard.Schema}.ballots
            WHERE survey = $1 AND voter_key = $2
            UNION ALL
            SELECT 'rejected', reason, vote_id, accepted_at, entry, receipt, "offset" FROM {shard.Schema}.refused
            WHERE survey = $1 AND voter_key = $2 AND kind = 3
            ORDER BY 1, 7 DESC
            """);
        query.Parameters.Add(new() { Value = survey });
        query.Parameters.Add(new() { Value = voterKey.ToBytes() });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var found = new List<VoteStanding>();
        while (await rows.ReadAsync(cancel))
        {
            var vote = new Reservation(
                survey, voterKey, Key16.Of(rows.GetFieldValue<byte[]>(2)), rows.GetFieldValue<DateTimeOffset>(3),
                rows.GetFieldValue<byte[]>(4), rows.GetFieldValue<byte[]>(5), null);
            found.Add(new(vote, rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetString(1)));
        }

        return found;
    }
}
