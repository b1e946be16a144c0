using System.Globalization;
using Platform;

namespace Voting;

/// <summary>
/// Says a record again that was set aside and can be decoded by now, so that counting decides it in its old place.
/// </summary>
internal sealed class ReplayPoison(
    VotingDatabase database, IBallotStore store, IEventLog log, EventMac mac, ShardMap map, EventStamps stamps,
    TimeProvider clock)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CountedWithin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ReadWithin = TimeSpan.FromSeconds(2);

    /// <remarks>Repeating it changes nothing: a record is settled once.</remarks>
    /// <exception cref="AppendFailedException">Nothing is known to be said; it can be tried again.</exception>
    public async Task<ReplayOutcome> HandleAsync(int partition, long offset, CancellationToken cancel)
    {
        if (partition < 0 || partition >= map.Partitions) return new ReplayOutcome.NoSuchRecord();
        if (await FindAsync(partition, offset, cancel) is not { } found) return new ReplayOutcome.NoSuchRecord();
        if (found.ReplayedAs is { } before) return await SettledAsync(partition, before, isNew: false, cancel);
        if (found.IsResolved) return new ReplayOutcome.Dismissed();

        switch (VoteRecords.Read(found.Bytes, mac))
        {
            case VoteRecord.Poison { Reason: var reason }:
                return new ReplayOutcome.Unreadable(reason);
            case VoteRecord.Submitted { Vote: var vote } when VoteIdentity.PartitionOf(vote.VoteId) == partition:
                return await AppendAsync(partition, offset, found, vote, cancel);
            default:
                return new ReplayOutcome.NoVoteOfThisPartition();
        }
    }

    private async Task<ReplayOutcome> AppendAsync(
        int partition, long offset, SetAside found, VoteSubmitted vote, CancellationToken cancel)
    {
        var votes = new TopicPartition(VotingTopics.Votes, partition);
        var replay = new VoteReplayed(partition, offset, found.SeenAt, found.Bytes);
        var record = new LogRecord(
            vote.VoterKey.ToBytes(), replay.ToBytes(mac), await HeadersAsync(votes, offset, found.Bytes, cancel));
        // Before it happens: what an operator asked for is told even if nobody ever learns what became of it.
        await TellAsync(partition, offset, cancel);
        var appendedAs = await log.AppendAsync(votes, record, cancel);
        for (var began = clock.GetTimestamp(); clock.GetElapsedTime(began) < CountedWithin;)
        {
            if ((await FindAsync(partition, offset, cancel))?.ReplayedAs is { } settledBy)
                return await SettledAsync(partition, settledBy, isNew: settledBy == appendedAs, cancel);
            await Task.Delay(Poll, clock, cancel);
        }

        return new ReplayOutcome.NotCountedYet(appendedAs);
    }

    private async Task TellAsync(int partition, long offset, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var connection = await shard.Source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await transaction.WriteEventAsync(
            shard, OperatorEvents.PoisonReplayed(stamps.New(EventActor.Operator), partition, offset), cancel);
        await transaction.CommitAsync(CancellationToken.None);
    }

    /// <summary>Receipt and idempotency key travel beside the bytes, and were not kept with them.</summary>
    private async Task<LogHeader[]?> HeadersAsync(
        TopicPartition votes, long offset, byte[] bytes, CancellationToken cancel)
    {
        await using var reader = log.OpenReader(votes, offset);
        var there = await reader.ReadAsync(1, ReadWithin, cancel);
        // Without them, where the log no longer holds the record, the voter's receipt is signed anew and says the same.
        return there is [var first] && first.Offset == offset && first.Value.Span.SequenceEqual(bytes)
            ? [.. first.Headers.Where(header => header.Name is VoteSubmitted.ReceiptHeader
                or VoteSubmitted.IdempotencyHeader)]
            : null;
    }

    private async Task<ReplayOutcome> SettledAsync(int partition, long replay, bool isNew, CancellationToken cancel)
    {
        var outcomes = await store.OutcomesAsync(partition, replay, replay + 1, cancel);
        return new ReplayOutcome.Settled(replay, isNew, outcomes[0]);
    }

    private async Task<SetAside?> FindAsync(int partition, long offset, CancellationToken cancel)
    {
        var shard = database.OfPartition(partition);
        await using var query = shard.Source.CreateCommand($"""
            SELECT bytes, date_trunc('milliseconds', seen_at), resolved_at IS NOT NULL, replayed_as
            FROM {shard.Schema}.poison WHERE partition = $1 AND "offset" = $2
            """);
        query.Parameters.Add(new() { Value = partition });
        query.Parameters.Add(new() { Value = offset });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        return await rows.ReadAsync(cancel)
            ? new(rows.GetFieldValue<byte[]>(0), rows.GetFieldValue<DateTimeOffset>(1), rows.GetBoolean(2),
                rows.IsDBNull(3) ? null : rows.GetInt64(3))
            : null;
    }

    private sealed record SetAside(byte[] Bytes, DateTimeOffset SeenAt, bool IsResolved, long? ReplayedAs);
}

/// <summary>Every way a replay can end. <see cref="Says"/> is one line for the operator.</summary>
internal abstract record ReplayOutcome(bool IsDone)
{
    /// <returns>What became of it, for people.</returns>
    public abstract string Says { get; }

    internal sealed record Settled(long Replay, bool IsNew, Outcome Outcome) : ReplayOutcome(true)
    {
        public override string Says => string.Create(CultureInfo.InvariantCulture,
            $"{(IsNew ? "It was replayed" : "It had been replayed before")} as offset {Replay}: {Outcome.Kind}")
            + (Outcome.Reason is null ? "." : $", {Outcome.Reason}.");
    }

    internal sealed record NotCountedYet(long Replay) : ReplayOutcome(true)
    {
        public override string Says => string.Create(CultureInfo.InvariantCulture,
            $"It was replayed as offset {Replay} and is not counted yet: does a consumer run?");
    }

    internal sealed record NoSuchRecord() : ReplayOutcome(false)
    {
        public override string Says => "No such record was set aside.";
    }

    internal sealed record Dismissed() : ReplayOutcome(false)
    {
        public override string Says => "It was dismissed: results no longer wait for it, so it cannot come to count.";
    }

    internal sealed record Unreadable(string Reason) : ReplayOutcome(false)
    {
        public override string Says => $"Nothing was changed: {Reason}.";
    }

    internal sealed record NoVoteOfThisPartition() : ReplayOutcome(false)
    {
        public override string Says => "Nothing was changed: it can be decoded, but is no vote of this partition.";
    }
}
