namespace Audit;

/// <summary>What a replay is, by what became of the record that it replays.</summary>
internal enum ReplayStanding
{
    /// <summary>The record is no replay.</summary>
    None,

    /// <summary>The first of a record that was set aside: it is decided as that would have been.</summary>
    First,

    /// <summary>A further one of the same record.</summary>
    Again,

    /// <summary>The record was never set aside, or an operator has settled that it is no vote.</summary>
    OfNothing,
}

/// <summary>The records of one partition that counting passed over. Not thread safe.</summary>
internal sealed class SetAside(int partition, SurveyFacts surveys)
{
    private readonly SortedDictionary<long, Record> _records = [];

    /// <summary>Offsets of those that read as ballots and were dismissed.</summary>
    public IEnumerable<long> DismissedBallots => _records
        .Where(pair => pair.Value.IsBallot && !pair.Value.IsReplayed && surveys.IsDismissed(partition, pair.Key))
        .Select(pair => pair.Key);

    public void Add(in PendingRecord record) => _records.Add(record.Offset, new(
        record.Index, record.Entry, record.Kind is VoteRecordKind.Submitted));

    /// <summary>Whether an operator settled that the record is no vote.</summary>
    public bool IsSettled(long offset) => surveys.IsDismissed(partition, offset);

    /// <summary>Judges a replay that has an outcome, and remembers it.</summary>
    public ReplayStanding Replay(in PendingRecord replay)
    {
        if (replay.ReplayOf >= replay.Offset || !_records.TryGetValue(replay.ReplayOf, out var record)
            || record.Entry != replay.Entry)
        {
            return ReplayStanding.OfNothing;
        }

        if (record.IsReplayed) return ReplayStanding.Again;
        if (IsSettled(replay.ReplayOf)) return ReplayStanding.OfNothing;
        record.IsReplayed = true;
        return ReplayStanding.First;
    }

    /// <exception cref="BrokenEvidenceException">Nobody settled a record before the fence.</exception>
    public void Require(string log, SignedResult result, long fence)
    {
        foreach (var (offset, record) in _records)
        {
            if (offset >= fence) return;
            if (record.IsReplayed || IsSettled(offset)) continue;
            throw new BrokenEvidenceException(new(
                log, record.Index, null, Problems.Undecided,
                $"Survey {result.Survey} is final, and nobody settled the record at offset {offset} before its fence, "
                + "which has no outcome."));
        }
    }

    private sealed class Record(long index, Digest entry, bool isBallot)
    {
        public long Index => index;

        public Digest Entry => entry;

        public bool IsBallot => isBallot;

        public bool IsReplayed { get; set; }
    }
}
