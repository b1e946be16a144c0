using System.Collections.Concurrent;

namespace Demo;

/// <summary>
/// The client's own books: what was sent, what was answered, and which ballots were accepted. Safe for use by many
/// threads.
/// </summary>
internal sealed class Ledger
{
    /// <summary>Before the names of requests that change nothing.</summary>
    public const string Asked = "asked: ";

    private const int FaultsKeptMax = 20;

    private readonly ConcurrentDictionary<string, long> _sent = new();
    private readonly ConcurrentDictionary<string, long> _sentAgain = new();
    private readonly ConcurrentDictionary<AnswerKind, long> _answers = new();
    private readonly ConcurrentDictionary<(int Voter, string VoteId), AcceptedVote> _accepted = new();
    private readonly ConcurrentQueue<TimeSpan> _castTimes = new();
    private readonly ConcurrentQueue<string> _faults = new();
    private long _faultCount;
    private long _votersDone;

    /// <summary>Requests by what they were, each counted once however often it was sent again.</summary>
    public IReadOnlyDictionary<string, long> Sent => _sent;

    /// <summary>How often a request was sent again, as was asked for or as nobody answered; by reason.</summary>
    public IReadOnlyDictionary<string, long> Again => _sentAgain;

    /// <summary>Answers by what was sent.</summary>
    public IReadOnlyDictionary<AnswerKind, long> Answers => _answers;

    /// <summary>Votes for which there is a receipt.</summary>
    public ICollection<AcceptedVote> Accepted => _accepted.Values;

    /// <summary>How many there are; cheaper than asking the collection.</summary>
    public long AcceptedCount { get; private set; }

    /// <summary>Voters who have done all that they do before the survey is finished.</summary>
    public long VotersDone => Interlocked.Read(ref _votersDone);

    /// <summary>How long accepted ballots took, unless they had to be sent again.</summary>
    public IReadOnlyCollection<TimeSpan> CastTimes => _castTimes;

    /// <summary>Answers that the contract does not allow there.</summary>
    public long FaultCount => Interlocked.Read(ref _faultCount);

    /// <summary>The first of them, for a person.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    public void SentAgain(string reason) => _sentAgain.AddOrUpdate(reason, 1, (_, count) => count + 1);

    public void VoterDone() => Interlocked.Increment(ref _votersDone);

    /// <summary>Books an answer, and a fault if it is none of those that are allowed.</summary>
    /// <returns>Whether it is allowed.</returns>
    public bool Book(string what, Answer answer, params ReadOnlySpan<Allowed> allowed)
    {
        _sent.AddOrUpdate(what, 1, (_, count) => count + 1);
        _answers.AddOrUpdate(new(what, answer.Status, answer.Problem), 1, (_, count) => count + 1);
        foreach (var one in allowed)
        {
            if (one.Status == answer.Status && one.Problem == answer.Problem) return true;
        }

        Fault($"{what}: answered {answer}");
        return false;
    }

    /// <summary>Books an accepted vote; a receipt of the same vote again changes nothing.</summary>
    /// <param name="voter">Whose.</param>
    /// <param name="answer">Holds the vote's id.</param>
    /// <param name="ballot">What was sent.</param>
    /// <param name="key">The idempotency key with which it was sent, or null.</param>
    public void Accept(Voter voter, Answer answer, BallotPaper ballot, string? key = null)
    {
        if (answer.Text("voteId") is not { Length: 22 } id || answer.Text("receipt") is not { Length: > 0 } receipt)
        {
            Fault($"an accepted ballot has no vote id or no receipt: {answer.Body}");
            return;
        }

        var vote = new AcceptedVote(voter, id, ballot, receipt, key);
        var there = _accepted.GetOrAdd((voter.Number, id), vote);
        if (ReferenceEquals(there, vote))
            AcceptedCount = _accepted.Count;
        else if (there.Ballot.Content != ballot.Content)
            Fault($"two different ballots of one voter have the vote id {id}");
    }

    public void Took(TimeSpan time) => _castTimes.Enqueue(time);

    public void Fault(string what)
    {
        if (Interlocked.Increment(ref _faultCount) <= FaultsKeptMax) _faults.Enqueue(what);
    }
}

/// <summary>An answer that the contract allows: 202 has no problem, 409 has one.</summary>
internal readonly record struct Allowed(int Status, string? Problem = null)
{
    public static implicit operator Allowed(int status) => new(status);

    public static implicit operator Allowed((int Status, string Problem) refusal) =>
        new(refusal.Status, refusal.Problem);
}

/// <summary>One kind of answer to one kind of request.</summary>
internal sealed record AnswerKind(string What, int Status, string? Problem);

/// <summary>A vote that the platform gave a receipt for.</summary>
internal sealed class AcceptedVote(Voter voter, string id, BallotPaper ballot, string receipt, string? key)
{
    public Voter Voter => voter;

    public string Id => id;

    public BallotPaper Ballot => ballot;

    public string Receipt => receipt;

    /// <summary>The idempotency key of the request that was accepted; null if it had none.</summary>
    public string? Key => key;

    /// <summary>What the platform said last: accepted, counted, held or rejected; null until it is asked.</summary>
    public string? Status { get; set; }

    /// <summary>Why it was rejected; else null.</summary>
    public string? Reason { get; set; }
}
