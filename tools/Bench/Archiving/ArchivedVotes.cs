using System.Security.Cryptography;
using Npgsql;
using Platform;
using Voting;

namespace Bench;

/// <summary>Votes and outcomes on their way into an archive.</summary>
internal static class ArchivedVotes
{
    /// <summary>A vote and its outcome.</summary>
    public const int EntriesAVote = 2;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    /// <returns>Consecutive votes of one partition, and behind them the outcomes of all: counted.</returns>
    public static (List<StoredRecord> Votes, List<StoredRecord> Outcomes) Make(
        MadeVotes votes, int partition, int count)
    {
        var made = votes.Make(partition, count, 0);
        return (made, [.. made.Select(record =>
        {
            var vote = ((VoteRecord.Submitted)VoteRecords.Read(record.Value.Span, votes.Mac)).Vote;
            var outcome = new Voting.Outcome(
                OutcomeKind.Counted, vote.Survey, vote.VoteId, vote.VoterKey, partition, record.Offset,
                record.Offset - 1, vote.AcceptedAt, null);
            return new StoredRecord(record.Offset, vote.VoteId.ToBytes(), outcome.ToBytes(), []);
        })]);
    }

    /// <summary>What no archive of this form can do without; nodes are as many as leaves.</summary>
    public static void Hash(IReadOnlyCollection<StoredRecord> records)
    {
        Span<byte> link = stackalloc byte[32], entry = stackalloc byte[32], node = stackalloc byte[65];
        var linked = new byte[32 + records.Max(record => record.Value.Length)];
        foreach (var record in records)
        {
            SHA256.HashData(record.Value.Span, entry);
            link.CopyTo(linked);
            record.Value.Span.CopyTo(linked.AsSpan(32));
            SHA256.HashData(linked.AsSpan(0, 32 + record.Value.Length), link);
            SHA256.HashData(node[..33], entry);
            SHA256.HashData(node, entry);
        }
    }

    /// <returns>What hashing alone takes of an entry's CPU, in microseconds: as often as there are runs.</returns>
    public static async Task<double> FloorAsync(
        Site site, MadeVotes votes, int count, int runs, CancellationToken cancel)
    {
        var (made, outcomes) = Make(votes, 0, count);
        StoredRecord[] sample = [.. made, .. outcomes];
        var floor = new List<double>();
        for (var run = -1; run < runs; run++)
        {
            var rate = await Rate.OfAsync(site, sample.Length, () => Task.Run(() => Hash(sample), cancel));
            if (run >= 0) floor.Add(rate.Cpu);
        }

        return Statistics.Median(floor);
    }

    /// <summary>Waits until the logs of votes have so many entries, all in the archive.</summary>
    public static async Task SealedAsync(Site site, long entries, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(site.ConnectionString);
        await using var query = source.CreateCommand("""
            SELECT coalesce(sum(size) FILTER (WHERE published = checkpoint), 0)::bigint
            FROM audit.heads WHERE log LIKE 'votes-%'
            """);
        while ((long)(await query.ExecuteScalarAsync(cancel))! < entries) await Task.Delay(Look, cancel);
    }

    /// <returns>
    /// What lies in the archive of the logs of votes, of each entry: bytes, and checkpoints.
    /// </returns>
    public static (double Bytes, double Checkpoints) Stored(Site site, long entries)
    {
        var files = new DirectoryInfo(Path.Combine(site.ArchiveDirectory, "votes"))
            .GetFiles("*", SearchOption.AllDirectories);
        return (
            (double)files.Sum(file => file.Length) / entries,
            (double)files.Count(file => file.Name == "checkpoint.json") / entries);
    }
}
