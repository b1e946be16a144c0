using Platform;

namespace Audit;

/// <summary>Shows that a vote is in its log: what its voter can check without us.</summary>
internal sealed class ProveVote(AuditDatabase database, PublishedLogs logs, TileTable tiles, ShardMap map)
{
    private const string Submitted = "vote.submitted";

    /// <summary>Builds the proof against the log's newest checkpoint.</summary>
    /// <param name="vote">The vote's id: 16 bytes, of which the first two name its partition.</param>
    /// <param name="entry">Which event of the vote; null for the first one that submitted it.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="InvalidDataException">The stored tree does not have what it says it has.</exception>
    public async Task<ProveVoteOutcome> HandleAsync(byte[] vote, Digest? entry, CancellationToken cancel)
    {
        var partition = (vote[0] << 8) | vote[1];
        if (partition >= map.Partitions) return new ProveVoteOutcome.NoSuchVote();

        var log = SealedLogs.NameOf(partition);
        if (await FindAsync(log, vote, entry, cancel) is not var (index, found)
            || await logs.NewestAsync(log, isCosigned: true, cancel) is not { } newest)
        {
            return new ProveVoteOutcome.NotYet();
        }

        var (_, size, root) = newest.Checkpoint;
        if (index >= size) return new ProveVoteOutcome.NotYet();

        var path = await TreeProofs.InclusionAsync(index, size, tiles.Of(log), cancel);
        // A proof that proves nothing would be taken for a lost vote.
        if (!ProofCheck.Includes(index, size, found, path, root))
            throw new InvalidDataException($"The stored tree of {log} does not lead from entry {index} to its root.");
        return new ProveVoteOutcome.Proved(new(found.ToArray(), index, path, newest));
    }

    private async Task<(long Index, Digest Entry)?> FindAsync(
        string log, byte[] vote, Digest? entry, CancellationToken cancel)
    {
        await using var query = database.Control.CreateCommand($"""
            SELECT index, entry FROM audit.events
            WHERE vote = $1 AND log = $2 AND CASE WHEN $3::bytea IS NULL THEN type = '{Submitted}' ELSE entry = $3 END
            ORDER BY index LIMIT 1
            """);
        query.Parameters.Add(new() { Value = vote });
        query.Parameters.Add(new() { Value = log });
        query.Parameters.Add(new() { Value = (object?)entry?.ToArray() ?? DBNull.Value });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        return await rows.ReadAsync(cancel)
            ? (rows.GetInt64(0), new Digest(rows.GetFieldValue<byte[]>(1))) : null;
    }
}

/// <summary>Every way that the wish for a proof can end.</summary>
internal abstract record ProveVoteOutcome
{
    private ProveVoteOutcome() { }

    internal sealed record Proved(LogProof Proof) : ProveVoteOutcome;

    /// <summary>Not sealed yet, or never cast: nobody can tell before it is sealed.</summary>
    internal sealed record NotYet : ProveVoteOutcome;

    /// <summary>No vote can have that id.</summary>
    internal sealed record NoSuchVote : ProveVoteOutcome;
}
