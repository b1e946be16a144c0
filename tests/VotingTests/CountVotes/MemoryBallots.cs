using Voting;
using Voting.Contracts;

namespace VotingTests;

/// <summary>A shard in memory for one partition: a batch changes everything at its completion, or nothing.</summary>
internal sealed class MemoryBallots(int partition) : IBallotStore
{
    private readonly Dictionary<int, long> _fences = [];
    private readonly Dictionary<int, PartitionTally> _tallies = [];
    private CountPlace _place;

    /// <summary>By survey and voter, as the primary key has it.</summary>
    public Dictionary<(int Survey, Key16 VoterKey), CountedBallot> Ballots { get; } = [];

    /// <summary>By offset.</summary>
    public SortedDictionary<long, RefusedVote> Refused { get; } = [];

    /// <summary>By offset.</summary>
    public SortedDictionary<long, PoisonRecord> Poison { get; } = [];

    /// <summary>What settled records that were set aside: a replay, or null where an operator did; by offset.</summary>
    public Dictionary<long, long?> Settled { get; } = [];

    public long NextOffset => _place.NextOffset;

    public IReadOnlyDictionary<int, long> Fences => _fences;

    public IReadOnlyDictionary<int, PartitionTally> Tallies => _tallies;

    /// <summary>The process ends in the next completion: before it has done anything.</summary>
    public bool CrashesBeforeCommit { get; set; }

    public Task<PartitionState> LoadAsync(int _, CancellationToken cancel) => Task.FromResult(new PartitionState(
        _place, All(long.MaxValue).Select(outcome => outcome.Offset).DefaultIfEmpty(-1).Last(),
        new(_fences), new(_tallies)));

    public Task<IBallotBatch?> BeginAsync(int _, CountPlace expected, long next, CancellationToken cancel) =>
        Task.FromResult<IBallotBatch?>(expected == _place ? new Batch(this, next) : null);

    public Task<IReadOnlyList<Outcome>> OutcomesAsync(int _, long from, long to, CancellationToken cancel) =>
        Task.FromResult<IReadOnlyList<Outcome>>([.. All(to).Where(outcome => outcome.Offset >= from)]);

    private List<Outcome> All(long to)
    {
        var rows = Ballots.Values.Select(ballot => (Ballot: ballot, Kind: OutcomeKind.Counted, Reason: (string?)null))
            .Concat(Refused.Values.Select(vote => (vote.Ballot, vote.Kind, vote.Reason)))
            .Where(row => row.Ballot.Offset < to).OrderBy(row => row.Ballot.Offset);
        var outcomes = new List<Outcome>();
        foreach (var (ballot, kind, reason) in rows)
        {
            var previous = outcomes.Count == 0 ? -1 : outcomes[^1].Offset;
            outcomes.Add(new(kind, ballot.Vote.Survey, ballot.Vote.VoteId, ballot.Vote.VoterKey, partition,
                ballot.Offset, previous, ballot.DecidedAt, reason));
        }

        return outcomes;
    }

    private sealed class Batch(MemoryBallots store, long next) : IBallotBatch
    {
        private readonly Dictionary<(int, Key16), CountedBallot> _staged = [];
        private readonly Dictionary<long, long?> _settled = [];

        public Task<IReadOnlyDictionary<long, long?>> SettleAsync(
            IReadOnlyList<(long Poison, long Replay)> replays, DateTimeOffset decidedAt)
        {
            foreach (var (poison, replay) in replays.OrderBy(replay => replay.Replay))
            {
                if (store.Poison.ContainsKey(poison) && !store.Settled.ContainsKey(poison))
                    _settled.TryAdd(poison, replay);
            }

            return Task.FromResult<IReadOnlyDictionary<long, long?>>(store.Settled.Concat(_settled).ToDictionary());
        }

        public Task<bool[]> InsertAsync(IReadOnlyList<CountedBallot> ballots)
        {
            var stored = new bool[ballots.Count];
            foreach (var i in Enumerable.Range(0, ballots.Count).OrderBy(i => ballots[i].Offset))
            {
                var voter = (ballots[i].Vote.Survey, ballots[i].Vote.VoterKey);
                stored[i] = !store.Ballots.ContainsKey(voter) && _staged.TryAdd(voter, ballots[i]);
            }

            return Task.FromResult(stored);
        }

        public Task<IReadOnlyDictionary<(int Survey, Key16 VoterKey), (Key16 VoteId, long Offset)>> FindAsync(
            IReadOnlyCollection<(int Survey, Key16 VoterKey)> voters) =>
            Task.FromResult<IReadOnlyDictionary<(int Survey, Key16 VoterKey), (Key16 VoteId, long Offset)>>(
                store.Ballots.Concat(_staged).Where(row => voters.Contains(row.Key))
                    .ToDictionary(row => row.Key, row => (row.Value.Vote.VoteId, row.Value.Offset)));

        public Task CompleteAsync(BatchRest rest)
        {
            if (store.CrashesBeforeCommit) throw new ProcessEndedException();
            foreach (var (voter, ballot) in _staged) store.Ballots.Add(voter, ballot);
            foreach (var vote in rest.Refused) store.Refused.Add(vote.Ballot.Offset, vote);
            foreach (var record in rest.Poison) store.Poison.Add(record.Offset, record);
            foreach (var (poison, replay) in _settled) store.Settled.Add(poison, replay);
            foreach (var (survey, offset) in rest.Fences) store._fences.Add(survey, offset);
            foreach (var tally in rest.Tallies) store._tallies[tally.Survey] = tally;
            store._place = store._place with { NextOffset = next };
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>Stands for a kill: whatever was in memory is gone.</summary>
internal sealed class ProcessEndedException : Exception;
