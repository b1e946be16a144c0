using Voting;

namespace VotingTests;

/// <summary>What one record of the partition is, as a test draws it.</summary>
internal abstract record Drawn
{
    internal sealed record Ballot(int Survey, int Voter, int Option) : Drawn;

    /// <summary>A ballot of another partition's voter.</summary>
    internal sealed record Stray(int Survey, int Voter) : Drawn;

    internal sealed record Fence(int Survey) : Drawn;

    internal sealed record StrayFence(int Survey) : Drawn;

    internal sealed record Garbage : Drawn;
}

/// <summary>
/// What becomes of records, decided in the plainest way: one by one, in order, with everything in view.
/// </summary>
internal sealed class CountModel
{
    public const int Surveys = 2;
    public const int OptionsOffered = 3;

    private readonly HashSet<int> _closed = [];
    private readonly Dictionary<(int, int), int> _first = [];

    /// <summary>Kind, reason, and offset of the one before; by offset.</summary>
    public SortedDictionary<long, (OutcomeKind Kind, string? Reason, long Previous)> Outcomes { get; } = [];

    public HashSet<long> Poison { get; } = [];

    public Dictionary<int, long> Fences { get; } = [];

    public Dictionary<(int Survey, int Option), long> Votes { get; } = [];

    public static CountModel Of(IReadOnlyList<Drawn> records)
    {
        var model = new CountModel();
        for (var offset = 0; offset < records.Count; offset++) model.Take(offset, records[offset]);
        return model;
    }

    private void Take(long offset, Drawn record)
    {
        switch (record)
        {
            case Drawn.Ballot ballot:
                var (kind, reason) = Judge(ballot);
                Outcomes.Add(offset, (kind, reason, Outcomes.Count == 0 ? -1 : Outcomes.Last().Key));
                break;
            case Drawn.Fence fence:
                if (_closed.Add(fence.Survey)) Fences.Add(fence.Survey, offset);
                break;
            default:
                Poison.Add(offset);
                break;
        }
    }

    private (OutcomeKind Kind, string? Reason) Judge(Drawn.Ballot ballot)
    {
        var known = _first.TryGetValue((ballot.Survey, ballot.Voter), out var option);
        if (ballot.Survey > Surveys || ballot.Option > OptionsOffered)
            return (OutcomeKind.Rejected, _closed.Contains(ballot.Survey) ? "after-close" : "invalid");
        if (known && option == ballot.Option) return (OutcomeKind.Repeated, null);
        if (_closed.Contains(ballot.Survey)) return (OutcomeKind.Rejected, "after-close");
        if (known) return (OutcomeKind.Rejected, "duplicate");
        _first.Add((ballot.Survey, ballot.Voter), ballot.Option);
        Votes[(ballot.Survey, ballot.Option)] = Votes.GetValueOrDefault((ballot.Survey, ballot.Option)) + 1;
        return (OutcomeKind.Counted, null);
    }
}
