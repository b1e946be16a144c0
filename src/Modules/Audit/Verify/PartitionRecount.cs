using System.Runtime.InteropServices;

namespace Audit;

/// <summary>What one partition's votes came to.</summary>
internal sealed class VoteCounts
{
    public long Records { get; set; }
    public long Counted { get; set; }
    public long Held { get; set; }
    public long Rejected { get; set; }
    public long Repeated { get; set; }

    /// <summary>Records that end a survey in the partition.</summary>
    public long Fences { get; set; }

    /// <summary>Records that counting passed over, settled or not.</summary>
    public long SetAside { get; set; }

    /// <summary>Records whose outcome is not archived yet.</summary>
    public long Pending { get; set; }

    public void Add(VoteCounts other)
    {
        (Records, Counted, Held) = (Records + other.Records, Counted + other.Counted, Held + other.Held);
        (Rejected, Repeated) = (Rejected + other.Rejected, Repeated + other.Repeated);
        (Fences, SetAside, Pending) = (Fences + other.Fences, SetAside + other.SetAside, Pending + other.Pending);
    }
}

/// <summary>What was counted of one survey.</summary>
internal sealed class RecountedSurvey
{
    public long Ballots { get; set; }

    /// <summary>By option.</summary>
    public Dictionary<int, long> Votes { get; } = [];

    /// <summary>Of one log: the entry by which the last of them was counted.</summary>
    public long LastCounted { get; set; } = -1;

    public void Add(RecountedSurvey other)
    {
        Ballots += other.Ballots;
        foreach (var (option, votes) in other.Votes) Votes[option] = Votes.GetValueOrDefault(option) + votes;
    }
}

/// <summary>
/// Follows one partition of <c>votes</c> and its outcomes: each record has the one outcome that it must have, and what
/// counts is counted again from the ballots. Not thread safe.
/// </summary>
/// <remarks>
/// Remembered are: records without outcome, 8 bytes a record for outcomes that are said again, and what
/// <see cref="DecidedVotes"/> keeps.
/// </remarks>
internal sealed class PartitionRecount(string log, int partition, SurveyFacts surveys, DecidedVotes decided)
{
    private readonly VoteReader _reader = new(partition, surveys);
    private readonly RingQueue<PendingRecord> _records = new();
    private readonly RingQueue<OutcomeRecord> _outcomes = new();
    private readonly OutcomesSaid _said = new();
    private readonly SetAside _setAside = new(partition, surveys);
    private readonly PartitionFences _fences = new(partition, surveys);
    private readonly List<PendingRecord> _held = [];
    private long _lastOutcome = -1;

    public VoteCounts Counts { get; } = new();

    /// <summary>By survey.</summary>
    public Dictionary<int, RecountedSurvey> Surveys { get; } = [];

    /// <summary>Records that read as ballots and were settled to be none: offsets, for whoever wants to look.</summary>
    public IEnumerable<long> DismissedBallots => _setAside.DismissedBallots;

    /// <summary>Takes an entry of the partition's log.</summary>
    public void Take(in ArchivedEntry entry)
    {
        if (entry.Topic is "votes") TakeRecord(entry);
        else TakeOutcome(entry);
    }

    /// <summary>Looks at what is left when the log is read to its end.</summary>
    /// <exception cref="BrokenEvidenceException">A survey is final and not all of it is here.</exception>
    public void Finish()
    {
        for (var place = _records.Start; place < _records.End; place++)
        {
            // A fence waits for no outcome.
            if (IsFence(_records[place])) Counts.Fences++;
            else Counts.Pending++;
        }

        foreach (var result in surveys.Results)
        {
            if (!result.Fences.TryGetValue(partition, out var fence))
                throw Broken(null, Problems.Fence, $"The result of survey {result.Survey} names no fence here.");
            _fences.Require(log, result, fence, Counts.Records);
            for (var place = _records.Start; place < _records.End && _records[place].Offset < fence; place++)
            {
                ref var record = ref _records[place];
                if (IsFence(record) || _setAside.IsSettled(record.Offset)) continue;
                throw Broken(record.Index, Problems.Undecided,
                    $"Survey {result.Survey} is final, and the record at offset {record.Offset} before its fence has "
                    + "no outcome.");
            }

            _setAside.Require(log, result, fence);
            foreach (var record in _held.Where(held => held.Survey == result.Survey && held.Offset < fence))
                throw Broken(record.Index, Problems.Undecided, "The survey is final, and the vote is still held.");
        }
    }

    private void TakeRecord(in ArchivedEntry entry)
    {
        ref var record = ref _records.Add(new()
        {
            Offset = entry.Offset,
            Index = entry.Index,
            ReplayOf = -1,
            Entry = entry.Digest,
        });
        _reader.Read(entry.Event, ref record);
        Counts.Records++;
        if (record.Kind is VoteRecordKind.Closed) _fences.Add(record.Survey, record.Offset);
        Decide();
    }

    private void TakeOutcome(in ArchivedEntry entry)
    {
        var outcome = new OutcomeRecord { Index = entry.Index };
        if (!VoteReader.TryRead(entry.Event, ref outcome) || outcome.Partition != partition)
            throw new BrokenEvidenceException(entry.Finding(Problems.Outcome, "This is no outcome of this partition."));
        if (outcome.Offset <= _lastOutcome)
        {
            // After a crash outcomes are said again, from what was stored: the same ones.
            if (_said.Is(outcome.Offset, entry.Digest)) return;
            throw new BrokenEvidenceException(entry.Finding(
                Problems.Outcome, $"The record at offset {outcome.Offset} had another outcome before, or none."));
        }

        if (outcome.Previous != _lastOutcome)
        {
            throw new BrokenEvidenceException(entry.Finding(
                Problems.OutcomeChain,
                $"The outcome follows the one of offset {outcome.Previous}, and the last one is of {_lastOutcome}."));
        }

        _lastOutcome = outcome.Offset;
        _said.Add(outcome.Offset, entry.Digest);
        _outcomes.Add(outcome);
        Decide();
    }

    /// <summary>Brings records and outcomes together, as far as both are here: either may be archived first.</summary>
    private void Decide()
    {
        while (!_outcomes.IsEmpty && !_records.IsEmpty && _outcomes.First.Offset <= _records[_records.End - 1].Offset)
        {
            ref var outcome = ref _outcomes.First;
            while (_records.First.Offset < outcome.Offset) Pass(ref _records.First);
            Decide(ref _records.First, ref outcome);
            Drop();
            _outcomes.Drop(_outcomes.Start + 1);
        }
    }

    /// <summary>A record that has no outcome, though a later one has: a fence, or set aside.</summary>
    private void Pass(ref PendingRecord record)
    {
        if (IsFence(record))
        {
            Counts.Fences++;
        }
        else
        {
            Counts.SetAside++;
            _setAside.Add(record);
        }

        Drop();
    }

    private void Drop()
    {
        ref var record = ref _records.First;
        _reader.Options.Drop(record.FirstOption + record.OptionCount);
        _records.Drop(_records.Start + 1);
    }

    private void Decide(ref PendingRecord record, ref OutcomeRecord outcome)
    {
        if (record.Kind is not (VoteRecordKind.Submitted or VoteRecordKind.Replayed))
            throw Broken(outcome.Index, Problems.Outcome, $"At offset {record.Offset} is no vote that could have one.");
        if (record.Survey != outcome.Survey || record.VoteId != outcome.VoteId || record.VoterKey != outcome.VoterKey)
            throw Broken(outcome.Index, Problems.Outcome, $"The record at offset {record.Offset} is another vote's.");
        if ((int)(record.VoteId >> 112) != partition)
            throw Broken(outcome.Index, Problems.Outcome, "The vote belongs to another partition.");

        var replay = record.Kind is VoteRecordKind.Replayed ? _setAside.Replay(record) : ReplayStanding.None;
        switch (outcome.Kind)
        {
            case VoteOutcomeKind.Counted: Count(ref record, ref outcome, replay); break;
            case VoteOutcomeKind.Held: Hold(ref record); break;
            case VoteOutcomeKind.Repeated: Counts.Repeated++; break;
            default: Refuse(ref record, ref outcome, replay); break;
        }

        decided.Add(new(
            record.VoterKey, (ulong)record.VoteId, outcome.Index, record.Survey, partition, outcome.Kind,
            outcome.Reason, replay is ReplayStanding.Again));
    }

    private void Count(ref PendingRecord record, ref OutcomeRecord outcome, ReplayStanding replay)
    {
        if (replay is ReplayStanding.OfNothing or ReplayStanding.Again)
            throw Broken(outcome.Index, Problems.Outcome, "The replay counts a record that was decided or dismissed.");
        if (_fences.IsBehind(record.Survey, Place(record)))
            throw Broken(outcome.Index, Problems.Fence, "The vote stands behind its survey's fence and is counted.");
        if (record.Fit is BallotFit.Breaks)
            throw Broken(record.Index, Problems.Ballot, "The ballot breaks its survey's rules and is counted.");
        Counts.Counted++;
        ref var survey = ref CollectionsMarshal.GetValueRefOrAddDefault(Surveys, record.Survey, out _);
        survey ??= new();
        survey.Ballots++;
        survey.LastCounted = outcome.Index;
        for (var place = record.FirstOption; place < record.FirstOption + record.OptionCount; place++)
            CollectionsMarshal.GetValueRefOrAddDefault(survey.Votes, _reader.Options[place], out _)++;
    }

    private void Hold(ref PendingRecord record)
    {
        Counts.Held++;
        _held.Add(record);
    }

    private void Refuse(ref PendingRecord record, ref OutcomeRecord outcome, ReplayStanding replay)
    {
        Counts.Rejected++;
        // Only a held vote is reviewed, and what became of a held one is in no log: a record has one outcome.
        if (outcome.Reason is RefusalReason.Review)
            throw Broken(outcome.Index, Problems.Outcome, "The vote is refused by a review and was never held.");
        if (outcome.Reason is RefusalReason.AfterClose && !_fences.IsBehind(record.Survey, Place(record)))
            throw Broken(outcome.Index, Problems.Fence, "The vote is refused as late and stands before its fence.");
        if (outcome.Reason is RefusalReason.Invalid && record.Fit is BallotFit.Fits
            && replay is not ReplayStanding.OfNothing)
        {
            throw Broken(outcome.Index, Problems.Ballot, "The ballot is refused as invalid and keeps the rules.");
        }
    }

    private bool IsFence(in PendingRecord record) =>
        record.Kind is VoteRecordKind.Closed && !_setAside.IsSettled(record.Offset);

    // A replay keeps the place of what it replays.
    private static long Place(in PendingRecord record) =>
        record.Kind is VoteRecordKind.Replayed ? record.ReplayOf : record.Offset;

    private BrokenEvidenceException Broken(long? index, string problem, string detail) =>
        new(new(log, index, null, problem, detail));
}
