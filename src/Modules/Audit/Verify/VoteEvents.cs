namespace Audit;

/// <summary>What a record of <c>votes</c> says it is. That it is genuine, only its MAC's key could tell.</summary>
internal enum VoteRecordKind : byte
{
    /// <summary>No event of the first version: counting can only have set it aside.</summary>
    Unreadable,
    Submitted,
    Closed,
    Replayed,
}

/// <summary>How a record ended.</summary>
internal enum VoteOutcomeKind : byte
{
    Counted = 1,
    Held = 2,
    Rejected = 3,
    Repeated = 4,
}

/// <summary>Why a record was rejected.</summary>
internal enum RefusalReason : byte
{
    None,
    Duplicate,
    AfterClose,
    Invalid,

    /// <summary>A reviewer's, or that none came in time.</summary>
    Review,
}

/// <summary>Whether a ballot is one that its survey takes.</summary>
internal enum BallotFit : byte
{
    /// <summary>The survey's publication is not in the archive.</summary>
    Unknown,
    Fits,
    Breaks,
}

/// <summary>One record of <c>votes</c>, as far as it has to be remembered until its outcome comes.</summary>
internal struct PendingRecord
{
    public long Offset;
    public long Index;

    /// <summary>Offset of the record that this one replays.</summary>
    public long ReplayOf;
    public UInt128 VoterKey;
    public UInt128 VoteId;
    public int Survey;
    public int OptionCount;

    /// <summary>Where its options begin in their queue.</summary>
    public long FirstOption;
    public VoteRecordKind Kind;
    public BallotFit Fit;

    /// <summary>Of the event; of the event inside where it is a replay.</summary>
    public Digest Entry;
}

/// <summary>One outcome.</summary>
internal struct OutcomeRecord
{
    public long Offset;
    public long Previous;
    public long Index;
    public UInt128 VoterKey;
    public UInt128 VoteId;
    public int Survey;
    public int Partition;
    public VoteOutcomeKind Kind;
    public RefusalReason Reason;
}
