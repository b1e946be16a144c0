using System.Security.Cryptography;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>
/// Counts one partition of <c>votes</c>: decides every record's outcome and keeps the partition's tallies. Knows no log
/// and no SQL. Not safe for use by several threads: one worker has one.
/// </summary>
/// <remarks>
/// A vote's fate depends only on what stands before it in its partition, because all
/// ballots of a voter share one partition.
/// </remarks>
internal sealed class PartitionCount(
    int partition, PartitionState state, IBallotStore store, Func<int, Survey?> surveys, TimeProvider clock)
{
    private readonly Dictionary<int, long> _fences = state.Fences;
    private readonly Dictionary<int, RunningTally> _tallies =
        state.Tallies.ToDictionary(pair => pair.Key, pair => new RunningTally(pair.Value));

    private long _lastOutcome = state.LastOutcome;
    private CountPlace _place = state.Place;

    /// <summary>First record that is not counted yet.</summary>
    public long NextOffset => _place.NextOffset;

    /// <returns>All tallies of the partition as they are now.</returns>
    public IEnumerable<PartitionTally> Tallies => _tallies.Select(pair => pair.Value.ToTally(pair.Key, partition));

    /// <summary>Counts a batch in one transaction.</summary>
    /// <param name="records">Consecutive records; the first one not below <see cref="NextOffset"/>.</param>
    /// <param name="cancel">Ends the attempt before its commit; nothing is changed then.</param>
    /// <returns>What to say, or null when another worker has counted here: load the state anew.</returns>
    public async Task<CountedBatch?> CountAsync(IReadOnlyList<ReadRecord> records, CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        // Outcomes carry whole milliseconds, and what is stored must give the same bytes again.
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMillisecond));
        var next = records[^1].Stored.Offset + 1;
        var sorted = Sort(records, now);

        await using var batch = await store.BeginAsync(partition, _place, next, cancel);
        if (batch is null) return null;

        await SortReplaysAsync(batch, sorted, now);
        var stored = await batch.InsertAsync(sorted.Candidates);
        var refused = await RefuseAsync(batch, sorted, stored);
        var counted = sorted.Candidates.Where((_, i) => stored[i]).ToList();
        // From here on memory runs ahead of the rows; if the commit fails the worker ends, and this object with it.
        var tallies = Add(counted, next);
        await batch.CompleteAsync(new(refused, sorted.Poison, sorted.NewFences, tallies, now));
        _place = _place with { NextOffset = next };
        return new(Say(counted, refused), tallies, sorted.Poison.Count);
    }

    private SortedBatch Sort(IReadOnlyList<ReadRecord> records, DateTimeOffset now)
    {
        var sorted = new SortedBatch([], [], [], [], [], [], []);
        foreach (var (record, content) in records)
        {
            switch (content)
            {
                case VoteRecord.Submitted { Vote: var vote } when VoteIdentity.PartitionOf(vote.VoteId) != partition:
                    // Genuine, and copied here: in another shard nothing would know that it is counted already.
                    sorted.Poison.Add(new(record.Offset, record.Value, "the vote is another partition's"));
                    break;
                case VoteRecord.Submitted { Vote: var vote }:
                    Judge(sorted, Ballot(record, vote, record.Value, now), record.Offset);
                    break;
                case VoteRecord.Replayed { Vote: var vote } replay
                    when replay.Partition == partition && replay.Offset < record.Offset
                        && VoteIdentity.PartitionOf(vote.VoteId) == partition:
                    sorted.Replays.Add((replay.Offset, Ballot(record, vote, replay.Event, now)));
                    break;
                case VoteRecord.Replayed:
                    sorted.Poison.Add(new(record.Offset, record.Value, "the replay is of another partition's record"));
                    break;
                case VoteRecord.Closed { Fence: var fence } when fence.Partition == partition:
                    if (_fences.TryAdd(fence.Survey, record.Offset))
                        sorted.NewFences.Add((fence.Survey, record.Offset));
                    break;
                case VoteRecord.Closed:
                    sorted.Poison.Add(new(record.Offset, record.Value, "the fence is another partition's"));
                    break;
                case VoteRecord.Poison { Reason: var reason }:
                    sorted.Poison.Add(new(record.Offset, record.Value, reason));
                    break;
            }
        }

        return sorted;
    }

    /// <param name="sorted">Takes the ballot.</param>
    /// <param name="ballot">Of this partition.</param>
    /// <param name="place">Where it was submitted: only a fence before it bars it.</param>
    private void Judge(SortedBatch sorted, CountedBallot ballot, long place)
    {
        if (_fences.TryGetValue(ballot.Vote.Survey, out var fence) && fence < place) sorted.Late.Add(ballot);
        else if (Fits(ballot.Vote)) sorted.Candidates.Add(ballot);
        else sorted.Invalid.Add(ballot);
    }

    /// <summary>
    /// A record that was set aside is decided by its first replay. Once it is settled, by that or by an operator,
    /// results no longer wait for it, so nothing may be counted of it any more.
    /// </summary>
    private async Task SortReplaysAsync(IBallotBatch batch, SortedBatch sorted, DateTimeOffset now)
    {
        if (sorted.Replays.Count == 0) return;
        var settled = await batch.SettleAsync(
            [.. sorted.Replays.Select(replay => (replay.Poison, replay.Ballot.Offset))], now);
        foreach (var (poison, ballot) in sorted.Replays)
        {
            if (!settled.TryGetValue(poison, out var by) || by is null) sorted.Invalid.Add(ballot);
            else if (by == ballot.Offset) Judge(sorted, ballot, poison);
            else sorted.Again.Add(ballot);
        }
    }

    // Headers carry no MAC. One that is not as we write it counts as absent: the row would refuse it,
    // and the whole batch with it.
    private static CountedBallot Ballot(
        StoredRecord record, VoteSubmitted vote, ReadOnlyMemory<byte> bytes, DateTimeOffset now) => new(
        record.Offset, vote, now, SHA256.HashData(bytes.Span),
        record.Header(VoteSubmitted.ReceiptHeader) is { Length: <= Receipts.KeptSizeBytesMax } receipt
            ? receipt : default,
        record.Header(VoteSubmitted.IdempotencyHeader) is { Length: 16 } idempotency
            ? idempotency : default(ReadOnlyMemory<byte>?));

    // The api process judged the ballot; this only keeps a mistake there from putting
    // votes on options that are not offered.
    private bool Fits(VoteSubmitted vote) =>
        surveys(vote.Survey) is { Status: not SurveyStatus.Draft } survey
        && BallotRules.Check(survey, vote.Answers) is null;

    private static async Task<List<RefusedVote>> RefuseAsync(IBallotBatch batch, SortedBatch sorted, bool[] stored)
    {
        var beaten = sorted.Candidates.Where((_, i) => !stored[i]).ToList();
        var known = await batch.FindAsync(
            [.. beaten.Concat(sorted.Late).Select(ballot => (ballot.Vote.Survey, ballot.Vote.VoterKey)).Distinct()]);
        var refused = new List<RefusedVote>(beaten.Count + sorted.Late.Count + sorted.Invalid.Count);
        refused.AddRange(beaten.Select(ballot => Refuse(ballot, RejectionReason.Duplicate)));
        refused.AddRange(sorted.Late.Select(ballot => Refuse(ballot, RejectionReason.AfterClose)));
        refused.AddRange(sorted.Invalid.Select(ballot =>
            new RefusedVote(ballot, OutcomeKind.Rejected, RejectionReason.Invalid)));
        refused.AddRange(sorted.Again.Select(ballot => new RefusedVote(ballot, OutcomeKind.Repeated, null)));
        return refused;

        RefusedVote Refuse(CountedBallot ballot, string reason) =>
            // A replay in this batch may have brought in, further on, what is late here.
            known.TryGetValue((ballot.Vote.Survey, ballot.Vote.VoterKey), out var first)
                && first.VoteId == ballot.Vote.VoteId && first.Offset < ballot.Offset
                ? new(ballot, OutcomeKind.Repeated, null)
                : new(ballot, OutcomeKind.Rejected, reason);
    }

    private List<PartitionTally> Add(List<CountedBallot> counted, long next)
    {
        var touched = new HashSet<int>();
        foreach (var ballot in counted)
        {
            var survey = ballot.Vote.Survey;
            if (!_tallies.TryGetValue(survey, out var tally)) _tallies[survey] = tally = new();
            tally.Add(ballot.Vote);
            touched.Add(survey);
        }

        return [.. touched.Select(survey =>
        {
            // Corrected tallies run ahead of the offset, and the higher version wins.
            _tallies[survey].Version = Math.Max(next, _tallies[survey].Version + 1);
            return _tallies[survey].ToTally(survey, partition);
        })];
    }

    private List<Outcome> Say(List<CountedBallot> counted, List<RefusedVote> refused)
    {
        var outcomes = counted.Select(ballot => Of(ballot, OutcomeKind.Counted, null))
            .Concat(refused.Select(vote => Of(vote.Ballot, vote.Kind, vote.Reason)))
            .OrderBy(outcome => outcome.Offset).ToList();
        for (var i = 0; i < outcomes.Count; i++)
        {
            outcomes[i] = outcomes[i] with { Previous = _lastOutcome };
            _lastOutcome = outcomes[i].Offset;
        }

        return outcomes;

        Outcome Of(CountedBallot ballot, OutcomeKind kind, string? reason) => new(
            kind, ballot.Vote.Survey, ballot.Vote.VoteId, ballot.Vote.VoterKey, partition, ballot.Offset, -1,
            ballot.DecidedAt, reason);
    }

    private sealed record SortedBatch(
        List<CountedBallot> Candidates, List<CountedBallot> Late, List<CountedBallot> Invalid,
        List<CountedBallot> Again, List<(long Poison, CountedBallot Ballot)> Replays,
        List<PoisonRecord> Poison, List<(int Survey, long Offset)> NewFences);

    private sealed class RunningTally
    {
        private readonly SortedDictionary<int, long> _votes = [];
        private long _ballots;

        public RunningTally() { }

        public RunningTally(PartitionTally tally)
        {
            (_ballots, Version) = (tally.Ballots, tally.Version);
            for (var i = 0; i < tally.Options.Count; i++) _votes[tally.Options[i]] = tally.Votes[i];
        }

        public long Version { get; set; }

        public void Add(VoteSubmitted vote)
        {
            _ballots++;
            foreach (var answer in vote.Answers)
            {
                foreach (var option in answer.Options) _votes[option] = _votes.GetValueOrDefault(option) + 1;
            }
        }

        public PartitionTally ToTally(int survey, int partition) =>
            new(survey, partition, Version, _ballots, [.. _votes.Keys], [.. _votes.Values]);
    }
}

/// <summary>A record with what it says.</summary>
internal readonly record struct ReadRecord(StoredRecord Stored, VoteRecord Content)
{
    public static ReadRecord Of(StoredRecord record, EventMac mac) =>
        new(record, VoteRecords.Read(record.Value.Span, mac));
}

/// <summary>A batch that is durable in the shard.</summary>
/// <param name="Outcomes">By offset.</param>
/// <param name="Tallies">Those that the batch changed.</param>
/// <param name="PoisonCount">Records set aside.</param>
internal sealed record CountedBatch(
    IReadOnlyList<Outcome> Outcomes, IReadOnlyList<PartitionTally> Tallies, int PoisonCount);
