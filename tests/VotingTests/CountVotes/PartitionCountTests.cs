using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Platform;
using Voting;
using Voting.Contracts;

namespace VotingTests;

public sealed class PartitionCountTests
{
    private const int Partition = 3;
    private const int Partitions = 16;

    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly byte[] OtherKey = [.. Enumerable.Range(32, 32).Select(i => (byte)i)];
    private static readonly EventMac Mac = new([Key]);
    private static readonly EventMac OtherMac = new([OtherKey]);
    private static readonly MacKey Secret = new(new byte[32]);

    /// <summary>Where a worker ends, if it does.</summary>
    private enum Fault
    {
        None,
        BeforeCommit,
        AfterCommit,
        WhileSaying,
        BeforeOffset,

        /// <summary>Another worker counts the same records first.</summary>
        Overtaken,
    }

    private static readonly Gen<Drawn> Records = Gen.Frequency(
        (20, Gen.Select(Gen.Int[1, 3], Gen.Int[0, 5], Gen.Int[1, 4], Drawn (survey, voter, option) =>
            new Drawn.Ballot(survey, voter, option))),
        (1, Gen.Select(Gen.Int[1, 2], Gen.Int[0, 5], Drawn (survey, voter) => new Drawn.Stray(survey, voter))),
        (1, Gen.Int[1, 3].Select(Drawn (survey) => new Drawn.Fence(survey))),
        (1, Gen.Int[1, 2].Select(Drawn (survey) => new Drawn.StrayFence(survey))),
        (3, Gen.Select(Gen.Int[1, 3], Gen.Int[0, 5], Gen.Int[1, 4], Drawn (survey, voter, option) =>
            new Drawn.Sealed(survey, voter, option))),
        (1, Gen.Const<Drawn>(new Drawn.Garbage())));

    /// <summary>What comes once the other key is known, too.</summary>
    private static readonly Gen<Drawn> Later = Gen.Frequency(
        (4, Gen.Select(Gen.Int[1, 3], Gen.Int[0, 5], Gen.Int[1, 4], Drawn (survey, voter, option) =>
            new Drawn.Ballot(survey, voter, option))),
        (8, Gen.Int[0, 50].Select(Drawn (number) => new Drawn.Replay(number))),
        (1, Gen.Int[0, 5].Select(Drawn (voter) => new Drawn.StrayReplay(voter))),
        (1, Gen.Int[1, 3].Select(Drawn (survey) => new Drawn.Fence(survey))));

    private static readonly Gen<(int Count, Fault Fault)> Steps =
        Gen.Select(Gen.Int[1, 7], Gen.Int[0, 5], (count, fault) => (count, (Fault)fault));

    [Fact]
    public Task Whatever_is_in_the_log_and_wherever_workers_end_the_count_is_the_plain_one() =>
        Gen.Select(
            Records.Array[1, 50], Steps.Array[1, 40], Later.Array[0, 15], Gen.Int[0, 9].Array[0, 2], Steps.Array[1, 10])
        .SampleAsync(async (records, steps, later, dismissed, laterSteps) =>
        {
            var world = new World([.. records, .. later], records.Length);
            foreach (var step in steps) await world.StepAsync(step.Count, step.Fault);
            while (!world.IsDone) await world.StepAsync(5, Fault.None);
            var places = dismissed.Select(number => CountModel.PlaceOf(records, records.Length, number))
                .Where(place => place >= 0).ToHashSet();
            world.MendKeys(places);
            foreach (var step in laterSteps) await world.StepAsync(step.Count, step.Fault);
            while (!world.IsDone) await world.StepAsync(5, Fault.None);
            world.AssertIs(CountModel.Of([.. records, .. later], places));
        }, iter: 2_000);

    /// <summary>The partition's log, its shard, and what was said to the log: all that outlives a worker.</summary>
    private sealed class World(IReadOnlyList<Drawn> records, int firstLater)
    {
        private readonly StoredRecord[] _log = [.. records.Select((_, offset) =>
            new StoredRecord(offset, default, Bytes(records, offset), []))];
        private readonly MemoryBallots _store = new(Partition);
        private readonly List<Outcome> _said = [];
        private readonly FakeTimeProvider _clock = new();
        private PartitionCount? _count;
        private EventMac _mac = Mac;
        private int _end = firstLater;
        private long _position;

        public bool IsDone => _position == _end;

        /// <summary>The other key is known from now on; some of what was set aside has been dismissed.</summary>
        public void MendKeys(IEnumerable<int> dismissed)
        {
            foreach (var place in dismissed) _store.Settled.Add(place, null);
            (_mac, _end, _count) = (new([Key, OtherKey]), _log.Length, null);
        }

        /// <summary>One batch of one worker, which may be its last.</summary>
        public async Task StepAsync(int countMax, Fault fault)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(1.5));
            var count = _count ??= await TakeOverAsync();
            var batch = Read(count, countMax);
            if (batch.Count == 0) return;

            if (fault is Fault.Overtaken)
            {
                var other = await TakeOverAsync();
                if (await other.CountAsync(Read(other, countMax), CancellationToken.None) is { } theirs)
                    Say(theirs.Outcomes);
            }

            _store.CrashesBeforeCommit = fault is Fault.BeforeCommit;
            CountedBatch? counted;
            try
            {
                counted = await count.CountAsync(batch, CancellationToken.None);
            }
            catch (ProcessEndedException)
            {
                (_count, _store.CrashesBeforeCommit) = (null, false);
                return;
            }

            Assert.Equal(fault is Fault.Overtaken, counted is null);
            if (counted is null || fault is Fault.AfterCommit)
            {
                _count = null;
                return;
            }

            Say(fault is Fault.WhileSaying ? counted.Outcomes.Take(counted.Outcomes.Count / 2) : counted.Outcomes);
            if (fault is Fault.WhileSaying or Fault.BeforeOffset) _count = null;
            else _position = count.NextOffset;
        }

        public void AssertIs(CountModel model)
        {
            var stored = _store.Ballots.Values
                .Select(ballot => (ballot.Offset, Kind: OutcomeKind.Counted, Reason: (string?)null))
                .Concat(_store.Refused.Values.Select(vote => (vote.Ballot.Offset, vote.Kind, vote.Reason)));
            var expected = model.Outcomes.Select(outcome => (outcome.Key, outcome.Value.Kind, outcome.Value.Reason));
            Assert.Equal(expected, stored.Order());
            Assert.Equal(model.Poison.Order(), _store.Poison.Keys);
            Assert.Equal(model.Fences.OrderBy(fence => fence.Key), _store.Fences.OrderBy(fence => fence.Key));
            var votes = _store.Tallies.Values.SelectMany(tally => tally.Options.Zip(tally.Votes, (option, votes) =>
                KeyValuePair.Create((tally.Survey, option - 10 * tally.Survey), votes)));
            Assert.Equal(model.Votes.OrderBy(vote => vote.Key), votes.OrderBy(vote => vote.Key));
            Assert.Equal(_store.Ballots.Count, _store.Tallies.Values.Sum(tally => tally.Ballots));
            AssertSaid(model);
        }

        /// <summary>As readers see it: offsets passed are dropped, and were the same bytes; a gap is refused.</summary>
        private void AssertSaid(CountModel model)
        {
            var heard = new SortedDictionary<long, (OutcomeKind Kind, string? Reason, long Previous)>();
            var bytes = new Dictionary<long, byte[]>();
            var last = -1L;
            foreach (var outcome in _said)
            {
                if (bytes.TryGetValue(outcome.Offset, out var before))
                {
                    Assert.Equal(before, outcome.ToBytes());
                    continue;
                }

                Assert.Equal(last, outcome.Previous);
                last = outcome.Offset;
                bytes.Add(last, outcome.ToBytes());
                heard.Add(last, (outcome.Kind, outcome.Reason, outcome.Previous));
            }

            Assert.Equal(model.Outcomes, heard);
        }

        private async Task<PartitionCount> TakeOverAsync()
        {
            var state = await _store.LoadAsync(Partition, CancellationToken.None);
            Say(await _store.OutcomesAsync(Partition, _position, state.NextOffset, CancellationToken.None));
            _position = Math.Max(_position, state.NextOffset);
            return new(Partition, state, _store, Survey, _clock);
        }

        private List<ReadRecord> Read(PartitionCount count, int countMax) =>
            [.. _log.Take(_end).Skip((int)count.NextOffset).Take(countMax)
                .Select(record => ReadRecord.Of(record, _mac))];

        private void Say(IEnumerable<Outcome> outcomes) => _said.AddRange(outcomes);
    }

    private static Survey? Survey(int id) => id > CountModel.Surveys ? null : new Survey(
        new(id, "Title", SurveyStatus.Published, DateTimeOffset.UnixEpoch, null, ResultsVisibility.Live, 1,
            [new(id, "Question", 1, 1, 0, false,
                [.. Enumerable.Range(1, CountModel.OptionsOffered).Select(option =>
                    new PublicOption(10 * id + option, "Option", null, option))])], null, 1),
        new(true, [], null, null), null, null, Secret);

    private static byte[] Bytes(IReadOnlyList<Drawn> records, int offset) => records[offset] switch
    {
        Drawn.Ballot ballot => Vote(ballot.Survey, ballot.Voter, ballot.Option, Partition, Mac),
        Drawn.Sealed ballot => Vote(ballot.Survey, ballot.Voter, ballot.Option, Partition, OtherMac),
        Drawn.Replay replay => CountModel.PlaceOf(records, offset, replay.Number) is >= 0 and var place
            ? Replay(place, Bytes(records, place))
            : Replay(offset, "{}"u8),
        Drawn.StrayReplay stray => Replay(-1, Vote(1, stray.Voter, 1, Partition, Mac)),
        Drawn.Stray stray => Vote(stray.Survey, stray.Voter, 1, Partition + 1, Mac),
        Drawn.Fence fence => new SurveyClosed(fence.Survey, Partition, DateTimeOffset.UnixEpoch).ToBytes(Mac),
        Drawn.StrayFence fence => new SurveyClosed(fence.Survey, Partition + 1, DateTimeOffset.UnixEpoch).ToBytes(Mac),
        _ => "{}"u8.ToArray(),
    };

    private static byte[] Replay(int place, ReadOnlySpan<byte> bytes) =>
        new VoteReplayed(Partition, place, DateTimeOffset.UnixEpoch, bytes.ToArray()).ToBytes(Mac);

    private static byte[] Vote(int survey, int voter, int option, int partition, EventMac mac)
    {
        var subject = new byte[16];
        (subject[0], subject[15]) = ((byte)(partition * 256 / Partitions), (byte)voter);
        var ballot = new Ballot([new(survey, [10 * survey + option], null)]);
        var identity = VoteIdentity.Of(Secret, subject, ballot, Partitions);
        Assert.Equal(partition, identity.Partition);
        return new VoteSubmitted(survey, identity.VoterKey, identity.VoteId, identity.Salt, DateTimeOffset.UnixEpoch,
            ballot.Answers).ToBytes(mac);
    }
}
