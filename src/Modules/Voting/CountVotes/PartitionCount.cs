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

    /// <summary>First record that is not counted yet.</summary>
    public long NextOffset { get; private set; } = state.NextOffset;

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

        await using var batch = await store.BeginAsync(partition, NextOffset, next, cancel);
        if (batch is null) return null;

        var stored = await batch.InsertAsync(sorted.Candidates);
        var refused = await RefuseAsync(batch, sorted, stored);
        var counted = sorted.Candidates.Where((_, i) => stored[i]).ToList();
        // From here on memory runs ahead of the rows; if the commit fails the worker ends, and this object with it.
        var tallies = Add(counted, next);
        await batch.CompleteAsync(new(refused, sorted.Poison, sorted.NewFences, tallies, now));
        NextOffset = next;
        return new(Say(counted, refused), tallies, sorted.Poison.Count);
    }

    private SortedBatch Sort(IReadOnlyList<ReadRecord> records, DateTimeOffset now)
    {
        var sorted = new SortedBatch([], [], [], [], []);
        foreach (var (record, content) in records)
        {
            switch (content)
            {
                case VoteRecord.Submitted { Vote: var vote } when VoteIdentity.PartitionOf(vote.VoteId) != partition:
                    // Genuine, and copied here: in another shard nothing would know that it is counted already.
                    sorted.Poison.Add(new(record.Offset, record.Value, "the vote is another partition's"));
                    break;
                case VoteRecord.Submitted { Vote: var vote }:
                    var ballot = Ballot(record, vote, now);
                    if (_fences.ContainsKey(vote.Survey)) sorted.Late.Add(ballot);
                    else if (Fits(vote)) sorted.Candidates.Add(ballot);
                    else sorted.Invalid.Add(ballot);
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

    // Headers carry no MAC. One that is not as we write it counts as absent: the row would refuse it,
    // and the whole batch with it.
    private static CountedBallot Ballot(StoredRecord record, VoteSubmitted vote, DateTimeOffset now) => new(
        record.Offset, vote, now, SHA256.HashData(record.Value.Span),
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
        return refused;

        RefusedVote Refuse(CountedBallot ballot, string reason) =>
            known.TryGetValue((ballot.Vote.Survey, ballot.Vote.VoterKey), out var first) && first == ballot.Vote.VoteId
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
            _tallies[survey].Version = next;
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
